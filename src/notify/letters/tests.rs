//! The words of mails, and what nobody can put into them.

use std::fs;

use super::{LetterError, Letters};
use crate::clock::UnixMillis;
use crate::config::Branding;
use crate::notify::Mail;

const AT: UnixMillis = UnixMillis::from_seconds(1_795_529_100);
const PLACE: (&str, &str) = ("wiki", "wiki.example.com");

fn branding(templates: Option<&std::path::Path>) -> Branding {
    Branding { templates: templates.map(ToOwned::to_owned), name: "Example Ltd".to_owned() }
}

fn ours() -> Letters {
    Letters::new(&branding(None)).unwrap()
}

fn enrolled(label: &str) -> Mail {
    Mail::Enrolled { label: label.to_owned(), at: AT }
}

fn mails() -> Vec<Mail> {
    vec![
        enrolled("my phone"),
        Mail::Added { label: "my phone".to_owned(), at: AT },
        Mail::Renamed { from: "my phone".to_owned(), to: "old".to_owned(), at: AT },
        Mail::Removed { label: "my phone".to_owned(), at: AT },
        Mail::Moved { from: "my phone".to_owned(), to: "new".to_owned(), at: AT },
        Mail::RecoveryCodeUsed { left: 0, at: AT },
        Mail::RecoveryCodeUsed { left: 3, at: AT },
        Mail::RecoveryCodeUsed { left: 9, at: AT },
        Mail::RecoveryCodesMade { at: AT },
        Mail::DeviceAlarm { at: AT },
        Mail::Code { code: "482 193".to_owned(), minutes: 10 },
        Mail::Reset { by: "the help desk".to_owned(), at: AT },
    ]
}

#[test]
fn every_mail_says_what_happened_where_and_what_to_do() {
    for mail in mails() {
        let letter = ours().write("alice", PLACE, &mail).unwrap();
        assert!(letter.subject.contains("wiki") && letter.subject.len() < 78, "{}", letter.subject);
        for words in ["Hello alice", "wiki (wiki.example.com)", "Example Ltd", "our password"] {
            assert!(letter.text.contains(words), "{words} is missing: {}", letter.text);
        }
        assert!(!letter.text.contains("://"), "a mail of ours has no links: {}", letter.text);
        for line in letter.text.lines() {
            assert!(line.len() < 100 && line.trim_end() == line, "{line:?}");
        }
    }
    let letter = ours().write("alice", PLACE, &enrolled("my phone")).unwrap();
    assert!(letter.text.contains("App:     my phone\n"), "{}", letter.text);
    assert!(letter.text.contains("When:    24 November 2026, 14:05 UTC\n"), "{}", letter.text);
    let code = |minutes| Mail::Code { code: "482 193".to_owned(), minutes };
    for (minutes, words) in [(1, "for 1 minute and"), (10, "for 10 minutes and")] {
        let letter = ours().write("alice", PLACE, &code(minutes)).unwrap();
        assert!(letter.text.contains("\n    482 193\n") && letter.text.contains(words));
    }
}

#[test]
fn no_value_adds_a_line_or_a_link() {
    let lines = ["x\r\nBcc: eve@evil.test", "x\nEve", "x\u{2028}Eve", "x\u{202e}Eve", "x\u{85}Eve"];
    for name in lines {
        let letter = ours().write(name, (name, name), &enrolled(name)).unwrap();
        let fair = ours().write("x", ("x", "x"), &enrolled("x")).unwrap();
        assert_eq!(letter.subject.lines().count(), 1);
        assert!(!letter.subject.chars().any(char::is_control), "{:?}", letter.subject);
        assert_eq!(letter.text.lines().count(), fair.text.lines().count(), "{}", letter.text);
        assert!(!letter.text.contains(['\r', '\u{2028}', '\u{202e}', '\u{85}']));
    }
    for label in ["see http://evil.test/x", "call eve@evil.test", "www.evil.test", "<a href=x>"] {
        let letter = ours().write("alice", PLACE, &enrolled(label)).unwrap();
        assert!(!letter.text.contains("evil.test"), "{}", letter.text);
        assert!(!letter.text.contains(['<', '@']), "{}", letter.text);
    }
}

#[test]
fn a_value_is_text_and_no_template() {
    let letter = ours().write("{{ brand }}", PLACE, &enrolled("x")).unwrap();
    assert!(letter.text.contains("Hello {{ brand }},"), "{}", letter.text);
    let letter = ours().write("o'neil & <sons>", PLACE, &enrolled("x")).unwrap();
    assert!(letter.text.contains("Hello o'neil & <sons>,"), "{}", letter.text);
}

/// What a folder with this one mail in it makes of all.
fn replaced(name: &str, text: &str) -> Result<Letters, LetterError> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("mail")).unwrap();
    fs::write(folder.path().join("mail").join(name), text).unwrap();
    Letters::new(&branding(Some(folder.path())))
}

#[test]
fn operators_may_write_their_own() {
    let letters =
        replaced("enrolled.txt", "Neu: {{ portal }}\r\n\r\nHallo {{ user }}!\r\n").unwrap();
    let letter = letters.write("alice", PLACE, &enrolled("x")).unwrap();
    assert_eq!((letter.subject.as_str(), letter.text.as_str()), ("Neu: wiki", "Hallo alice!\n"));
    assert!(replaced("notes.md", "anything").is_ok());
    assert!(Letters::new(&branding(Some(tempfile::tempdir().unwrap().path()))).is_ok());
}

#[test]
fn what_cannot_be_used_is_found_at_the_start() {
    let why = |name: &str, text: &str| replaced(name, text).unwrap_err();
    let broken = why("enrolled.txt", "New\n\nHello {{ usr }}\n").to_string();
    assert!(broken.contains("mail/enrolled.txt:3: undefined value"), "{broken}");
    assert!(matches!(why("reset.txt", "{{ user\n"), LetterError::Broken { line: 1.., .. }));
    for text in ["", "Subject\n", "Subject\ntext\n", "\n\ntext\n", "Subject\n\n \n"] {
        let error = why("reset.txt", text);
        assert!(matches!(error, LetterError::Shapeless { .. }), "{text:?}: {error}");
    }
    assert!(matches!(why("code.txt", "Code\n\nNo code.\n"), LetterError::Useless { .. }));
    let unknown = why("enroled.txt", "New\n\nHello\n").to_string();
    assert!(unknown.contains("known names are code.txt, device-alarm.txt"), "{unknown}");
}
