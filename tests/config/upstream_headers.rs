//! What a portal is told of its visitors: names that it reads, and that nothing else has.

use crate::cases::{Folder, check, check_one, edited};

const BEFORE: &str = "    prefix: /.mfa\n";

fn with(written: &str) -> String {
    format!("    upstream_headers: {written}\n{BEFORE}")
}

#[test]
fn nothing_is_told_unless_it_is_named() {
    let told = |edits: &[(&str, &str)]| {
        let config = Folder::new().config(&edited(edits));
        let names: Vec<String> =
            config.portals[0].upstream_headers.iter().map(ToString::to_string).collect();
        names
    };
    assert_eq!(told(&[]), [""; 0]);
    assert_eq!(told(&[(BEFORE, &with("{ user: X-Who }"))]), ["x-who"]);
    assert_eq!(told(&[(BEFORE, &with("{ assertion: X-Proof }"))]), ["x-proof"]);
    let both = with("{ user: X-Portal-User, assertion: X-Portcullis-Assertion }");
    assert_eq!(told(&[(BEFORE, &both)]), ["x-portal-user", "x-portcullis-assertion"]);
    check_one(
        BEFORE,
        &with("{}"),
        "19:5: portals.wiki.upstream_headers",
        "names no header; name user, assertion or both, or remove it",
    );
}

#[test]
fn a_name_is_one_that_every_portal_reads() {
    for wrong in ["''", "X_Who", "X.Who", "'X Who'", "'X-Who:'", "X-Who-", "-X-Who", "X-W\u{f6}"] {
        check_one(
            BEFORE,
            &with(&format!("{{ user: {wrong} }}")),
            "19:25: portals.wiki.upstream_headers.user",
            &format!(
                "'{}' is no name of a header that all portals read; write one of letters, digits and '-' alone, such as X-Portal-User",
                wrong.trim_matches('\'')
            ),
        );
    }
}

#[test]
fn a_name_has_no_other_meaning() {
    for taken in [
        "Host",
        "cookie",
        "AUTHORIZATION",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Proxy-Authorization",
        "Content-Length",
        "Expect",
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-User",
        "X-Real-IP",
        "X-Original-URL",
        "Sec-Fetch-Mode",
        "Accept",
        "If-Match",
        "User-Agent",
    ] {
        for key in ["user", "assertion"] {
            let at = "19:25: portals.wiki.upstream_headers";
            check_one(
                BEFORE,
                &with(&format!("{{ {key}: {taken} }}")),
                &format!("{at}.{key}"),
                &format!(
                    "'{taken}' is a header with a meaning of its own; choose a name that nothing else has, such as X-Portal-User"
                ),
            );
        }
    }
}

#[test]
fn names_differ_from_each_other_and_from_the_one_in_front() {
    check_one(
        BEFORE,
        &with("{ user: X-Who, assertion: x-who }"),
        "19:38: portals.wiki.upstream_headers.assertion",
        "is the name of user already; choose another for one of them",
    );
    let header =
        "      header: { name: X-Remote-User, from: [10.0.0.5/32] }\n      rotation: reverify\n";
    check(
        &[(BEFORE, &with("{ user: X-REMOTE-USER }")), ("      rotation: reverify\n", header)],
        &[
            "gateway.yaml:19:25: portals.wiki.upstream_headers.user: 'X-REMOTE-USER' is the header by which identity.header names the user; choose another: the portal gets that one with its session",
        ],
    );
}
