# Agent, relay and operators are killed at random while a session writes and is typed into: of output
# and input nothing is lost, doubled or out of order. KILLS says how often, SEED repeats a schedule as
# far as time allows; `make kills N=1000` runs it alone.
. tests/system/lib/test.sh
relay && machine box
export SEED="${SEED:-$$}" KILLS="${KILLS:-25}" RATE="${RATE:-65536}"

script <<'EOS'
import kills

kills.main()
EOS
finish
