//! Which form, which field, what is sent.

use url::Url;

use super::{LoginForm, login_form, name_form};
use crate::cli::probe::page::Html;

fn at() -> Url {
    Url::parse("http://wiki.test/doku.php?do=login").unwrap()
}

fn chosen(page: &str) -> LoginForm {
    login_form(&Html::read(page), &at()).unwrap()
}

#[test]
fn the_form_that_signs_in_is_told_from_those_that_register_or_reset() {
    let form = chosen(
        "<form method=post action=/register><input name=user><input type=password name=p1>\
         <input type=password name=p2></form>\
         <form method=post action=/reset><input name=email><input type=password name=new></form>\
         <form method=post action=/session><input name=email><input type=password name=secret></form>",
    );
    assert_eq!((form.target.path(), form.password.as_deref()), ("/session", Some("secret")));
    assert!(form.why.is_some());
}

#[test]
fn the_field_for_the_name_is_found_as_browsers_find_it() {
    let check = |fields: &str, expected: Option<&str>| {
        let page = format!("<form method=post>{fields}</form>");
        assert_eq!(chosen(&page).user.as_deref(), expected, "{fields}");
    };
    let password = "<input type=password name=p>";
    check(
        &format!("<input name=server><input name=login>{password}<input name=code>"),
        Some("login"),
    );
    check(&format!("<input name=a><input name=b>{password}"), Some("b"));
    check(
        &format!("<input name=user><input name=x autocomplete='section-a username'>{password}"),
        Some("x"),
    );
    check(&format!("{password}<input name=user>"), Some("user"));
    check(&format!("<input type=hidden name=user value=x>{password}"), None);
}

#[test]
fn a_form_without_post_or_without_names_is_for_scripts() {
    for page in [
        "<form><input name=u><input type=password name=p></form>",
        "<form method=post><input data-name=u><input type=password data-name=p></form>",
        "<form method=post><input name=q></form>",
    ] {
        assert!(login_form(&Html::read(page), &at()).is_none(), "{page}");
    }
}

#[test]
fn what_a_browser_sends_is_sent() {
    let form = chosen(
        "<form method=post action='?x=1'><input type=hidden name=t value='a b'><input name=u>\
         <input type=password name=p><input type=checkbox name=stay value=1>\
         <button name=go value=1></button><button name=cancel value=1></button></form>",
    );
    assert_eq!(form.target.as_str(), "http://wiki.test/doku.php?x=1");
    let (kind, body) = form.filled(Some("alice"), "p&q");
    assert_eq!(kind, "application/x-www-form-urlencoded");
    assert_eq!(String::from_utf8(body).unwrap(), "t=a+b&go=1&u=alice&p=p%26q");
    let form = form.with(&[("t".to_owned(), "other".to_owned())]);
    let (_, body) = form.filled(Some("alice"), "x");
    assert_eq!(String::from_utf8(body).unwrap(), "go=1&t=other&u=alice&p=x");
}

#[test]
fn a_multipart_form_is_sent_in_parts() {
    let form = chosen(
        "<form method=post enctype=multipart/form-data><input name=u><input type=password name=p></form>",
    );
    let (kind, body) = form.filled(Some("alice"), "x");
    let (_, edge) = kind.split_once("boundary=").unwrap();
    let part = |name: &str, value: &str| {
        format!("--{edge}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let expected = part("u", "alice") + &part("p", "x") + &format!("--{edge}--\r\n");
    assert_eq!(String::from_utf8(body).unwrap(), expected);
}

#[test]
fn a_form_is_told_by_what_stays_and_says_what_it_does() {
    let page = |token: &str| {
        format!(
            "<form method=post action=/doku.php><input type=hidden name=do value=login>\
             <input type=hidden name=sectok value={token}><input type=hidden name=id value=start>\
             <input name=u><input type=password name=p></form>\
             <form method=post action=/doku.php><input type=hidden name=do value=search></form>"
        )
    };
    let (one, two) = (chosen(&page("abc")), chosen(&page("def")));
    assert!(one.shares_path);
    assert_eq!(one.discriminators(&two), [("do".to_owned(), "login".to_owned())]);
}

#[test]
fn a_page_may_ask_for_the_name_alone() {
    let page = Html::read(
        "<form method=post action=/search><input name=q></form>\
         <form method=post action=/identify><input name=identifier></form>",
    );
    let form = name_form(&page, &at()).unwrap();
    assert_eq!((form.target.path(), form.user.as_deref()), ("/identify", Some("identifier")));
    assert!(name_form(&Html::read("<form method=post><input name=q></form>"), &at()).is_none());
}
