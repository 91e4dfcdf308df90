# Chromium's driver, for tests with a real browser; after test.sh:
#
#     driver [COMMAND...]     # runs it by that command; sets DRIVER, its port
#
# tests/system/lib/webdriver.py speaks with it.

for program in chromium chromedriver; do
    [ -n "$(command -v $program)" ] || skip "$program is not here (chromium, chromium-driver)"
done

driver() {
    mkdir -p "$T/profile"
    (
        exec > "$T/driver.log" 2>&1 < /dev/null
        exec env HOME="$T/profile" XDG_CONFIG_HOME="$T/profile" XDG_CACHE_HOME="$T/profile" TMPDIR="$T/profile" \
            "$@" chromedriver --port=0
    ) &
    echo $! >> "$T/pids"
    wait_for 20 has "$T/driver.log" 'started successfully on port [0-9]+' || skip "chromedriver does not start"
    DRIVER=$(sed -n 's/.*started successfully on port \([0-9]*\).*/\1/p' "$T/driver.log")
    export DRIVER
}
