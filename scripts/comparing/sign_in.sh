# Sourced by scripts/compare: signs somebody in at the gateway and sets a second factor up, as a
# browser would, so that what is measured is a proven visitor's way.

browse() {
    curl --silent --show-error --ipv4 --max-time 5 --header "Host: localhost" \
        --cookie "$folder/cookies" --cookie-jar "$folder/cookies" "$@"
}

field() {
    sed -n "s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" | head -1
}

sign_in() {
    cookie='PORTALSESSID=q8f3kd0s9vlm2n4b6c7x8z1a5w'
    case " ${programs[*]} " in *' portcullis '*) ;; *) return ;; esac
    local page secret gate="http://localhost:${http[portcullis]}"
    browse --output /dev/null "$gate/login" --data 'user=alice&password=any'
    page=$(browse "$gate/.mfa/enrol")
    secret=$(printf '%s' "$page" | sed -n 's/.*<code id="secret"[^>]*>\(.*\)<\/code>.*/\1/p' |
        sed 's/<[^>]*>//g; s/ //g')
    [ -n "$secret" ] || complain 'the gateway offers no second factor'
    browse --output /dev/null "$gate/.mfa/enrol" --header "Origin: http://localhost" \
        --data-urlencode "csrf=$(printf '%s' "$page" | field csrf)" \
        --data-urlencode "code=$(oathtool --totp -b "$secret")"
    cookie=$(awk -F'\t' 'NF == 7 { printf "%s%s=%s", sep, $6, $7; sep = "; " }' "$folder/cookies")
}
