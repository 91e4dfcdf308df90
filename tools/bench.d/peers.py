"""The peers: OpenSSH, direct, through a relay and with a master; dropbear.

    direct    ssh ------------------------------> sshd of the machine
    relayed   ssh --> sshd of the relay <--ssh -R-- machine --> sshd of the machine
    master    ssh --> ssh ControlMaster --------> sshd of the machine
    dropbear  dbclient -------------------------> dropbear
"""
import os
import pwd

from lab import free_port, listens, say, wait_for

SSHD = "/usr/sbin/sshd"
PRIVSEP = "/run/sshd"       # compiled into Debian's sshd

SSHD_CONFIG = """
ListenAddress {host}:{port}
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
MaxSessions 200
MaxStartups 200
UseDNS no
"""

SSH_CONFIG = """
Host *
HostName 127.0.0.1
User {user}
IdentityFile {dir}/key
IdentitiesOnly yes
UserKnownHostsFile {dir}/known_hosts
GlobalKnownHostsFile /dev/null
HostKeyAlias bench
StrictHostKeyChecking yes
BatchMode yes
EscapeChar none
LogLevel ERROR
"""


class Peers:
    def __init__(self, lab):
        self.lab = lab
        self.user = pwd.getpwuid(os.getuid())
        self.target, self.relay, self.tunnel, self.dropbear_port = (free_port() for _ in range(4))
        self.keys()
        self.target_sshd = self.start_sshd("target", self.target)
        self.relay_sshd = self.start_sshd("relay", self.relay)
        self.reverse = self.start_reverse()
        self.master = self.start_master()
        self.dropbear = self.start_dropbear()

    def keys(self):
        lab = self.lab
        for name in ("host_key", "key"):
            lab.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", lab.path(name)])
        with open(lab.path("host_key.pub")) as f:
            lab.write("known_hosts", "bench " + f.read())
        lab.run(["dropbearkey", "-t", "ed25519", "-f", lab.path("db_host")])
        shown = lab.run(["dropbearkey", "-t", "ed25519", "-f", lab.path("db_key")])
        public = [line for line in shown.splitlines() if line.startswith("ssh-ed25519 ")]
        with open(lab.path("key.pub")) as f:
            both = f.read() + "\n".join(public) + "\n"
        lab.write("authorized_keys", both)
        lab.folder("home", ".ssh")
        lab.write("home/.ssh/authorized_keys", both)
        lab.write("ssh_config", SSH_CONFIG.format(dir=lab.dir, user=self.user.pw_name))

    # ---- processes

    def sshd_argv(self, name, port, host="127.0.0.1"):
        conf = self.lab.write("sshd_" + name, SSHD_CONFIG.format(dir=self.lab.dir, port=port, host=host))
        return [SSHD, "-D", "-e", "-f", conf]

    def at_home(self, argv):
        """In its own mount namespace the laboratory's home folder is the
        user's: what ~/.bashrc does at each login is not the peers' fault, and
        dropbear finds authorized_keys nowhere else."""
        if os.getuid() != 0:
            return argv
        return ["unshare", "-m", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh",
                self.lab.path("home"), self.user.pw_dir] + argv

    def start_sshd(self, name, port):
        if os.getuid() == 0 and not os.path.isdir(PRIVSEP):
            os.mkdir(PRIVSEP, 0o755)
            self.lab.undo.append(lambda: os.rmdir(PRIVSEP))
        daemon = self.lab.start(self.at_home(self.sshd_argv(name, port)), "sshd_%s.log" % name)
        wait_for("sshd listens", 10, lambda: listens(port))
        return daemon

    def reverse_argv(self, tunnel, *more):
        return self.ssh(self.relay, "-N", *more, "-o", "ExitOnForwardFailure=yes",
                        "-R", "127.0.0.1:%d:127.0.0.1:%d" % (tunnel, self.target))

    def start_reverse(self):
        process = self.lab.start(self.reverse_argv(self.tunnel), "ssh_reverse.log")
        wait_for("ssh -R is there", 10, lambda: listens(self.tunnel))
        return process

    def start_master(self):
        process = self.lab.start(self.ssh(self.target, "-N", "-M", "-S", self.socket()), "ssh_master.log")
        wait_for("the master is there", 10, lambda: os.path.exists(self.socket()))
        return process

    def start_dropbear(self):
        if os.getuid() != 0:
            say("without root there is no mount namespace: dropbear is left out, and ~/.bashrc counts for ssh")
            return None
        daemon = self.lab.start(self.at_home(self.dropbear_argv(self.dropbear_port)), "dropbear.log")
        wait_for("dropbear listens", 10, lambda: listens(self.dropbear_port))
        return daemon

    def dropbear_argv(self, port):
        return ["/usr/sbin/dropbear", "-F", "-E", "-m", "-s", "-r", self.lab.path("db_host"),
                "-P", self.lab.path("dropbear.pid"), "-p", "127.0.0.1:%d" % port]

    # ---- command lines

    def socket(self):
        return self.lab.path("master")

    def ssh(self, port, *more):
        return ["ssh", "-F", self.lab.path("ssh_config"), "-p", str(port)] + list(more) + ["bench"]

    def direct(self, *command, options=()):
        return self.ssh(self.target, *options) + list(command)

    def relayed(self, *command, options=()):
        return self.ssh(self.tunnel, *options) + list(command)

    def mastered(self, *command):
        return self.ssh(self.target, "-S", self.socket()) + list(command)

    def dbclient(self, *command):
        return ["dbclient", "-y", "-y", "-i", self.lab.path("db_key"), "-p", str(self.dropbear_port),
                "%s@127.0.0.1" % self.user.pw_name] + list(command)
