//! Pages as they are written in the world, tables, quotes and all.

use super::{Html, Kind};

const OLD: &str = "<HTML><table><form action=go.php METHOD=POST><tr><td><input name=u>\
    <tr><td><INPUT TYPE='password' NAME='pass[word]'><tr><td><input type=hidden name=t value='a&amp;b'>\
    </table><select name=lang><option value=en>English<option selected value=nl>Dutch</select>\
    <select name=kind><option>staff<option>guest</select>\
    <input type=checkbox name=stay value=1><input type=checkbox name=ssl checked>\
    <button name=go value=1>Go</button><button type=button name=help>?</button></form>\
    <form><input name=q></form><input type=password form=late name=p2><form id=late method=post></form>";

fn value<'a>(page: &'a Html, form: usize, name: &str) -> Option<(&'a str, Kind)> {
    let mut fields = page.forms[form].fields.iter();
    fields.find(|field| field.name == name).map(|field| (field.value.as_str(), field.kind))
}

#[test]
fn a_form_owns_its_fields_whatever_the_tables_do() {
    let page = Html::read(OLD);
    assert_eq!(page.forms.len(), 3);
    let form = &page.forms[0];
    assert_eq!(
        (form.action.as_deref(), form.is_post, form.is_multipart),
        (Some("go.php"), true, false)
    );
    assert_eq!(value(&page, 0, "u"), Some(("", Kind::Text)));
    assert_eq!(value(&page, 0, "pass[word]"), Some(("", Kind::Password)));
    assert_eq!(value(&page, 0, "t"), Some(("a&b", Kind::Hidden)));
    assert!(!page.forms[1].is_post);
}

#[test]
fn what_nobody_chose_stands_as_the_page_has_it() {
    let page = Html::read(OLD);
    assert_eq!(value(&page, 0, "lang"), Some(("nl", Kind::Chosen)));
    assert_eq!(value(&page, 0, "kind"), Some(("staff", Kind::Chosen)));
    assert_eq!(value(&page, 0, "stay"), Some(("1", Kind::Other)));
    assert_eq!(value(&page, 0, "ssl"), Some(("on", Kind::Chosen)));
    assert_eq!(value(&page, 0, "go"), Some(("1", Kind::Submit)));
    assert_eq!(value(&page, 0, "help"), Some(("", Kind::Other)));
}

#[test]
fn a_field_may_stand_outside_of_its_form() {
    let page = Html::read(OLD);
    assert_eq!(value(&page, 2, "p2"), Some(("", Kind::Password)));
    assert_eq!((page.passwords(), page.loose.len()), (2, 0));
}

#[test]
fn what_a_script_or_a_comment_holds_is_no_form() {
    let page = Html::read(
        "<!-- <form><input type=password></form> --><script>'<form><input type=password>'</script>\
         <textarea name=x><form></textarea><script src=/a.js></script><link rel=stylesheet href=/a.css>\
         <link rel=alternate href=/feed><base href=/in/><a href=out>x</a><input type=password>",
    );
    assert_eq!((page.forms.len(), page.loose.len(), page.scripts), (0, 2, 2));
    assert_eq!(page.assets, ["/a.js", "/a.css"]);
    assert_eq!((page.base.as_deref(), &page.links[..]), (Some("/in/"), &["out".to_owned()][..]));
}
