# Sourced by the start scripts of portals that do not say themselves where they listen.

# Says so as soon as a connection is taken; gives up when the portal is gone. A portal that
# takes over the script's process keeps its number, so that $$ is the portal.
say_when_it_listens() {
    (
        until (: <>"/dev/tcp/127.0.0.1/$1"); do
            kill -0 $$ || exit
            sleep 0.1
        done 2>/dev/null
        echo "listening on http://127.0.0.1:$1"
    ) &
}
