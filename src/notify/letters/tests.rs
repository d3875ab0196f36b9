//! The words of mails, and what nobody can put into them.

use std::fs;

use super::{LetterError, Letters};
use crate::clock::UnixMillis;
use crate::config::Branding;
use crate::net::language::{Language, Languages};
use crate::notify::{Mail, Speaker};
use crate::overrides::OverrideError;

const AT: UnixMillis = UnixMillis::from_seconds(1_795_529_100);
const PLACE: (&str, &str) = ("wiki", "wiki.example.com");

fn branding(templates: Option<&std::path::Path>) -> Branding {
    let languages = Languages::new(Language::En, vec![Language::Nl, Language::De, Language::Fr]);
    let templates = templates.map(ToOwned::to_owned);
    Branding { templates, name: "Example Ltd".to_owned(), languages }
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
        Mail::Reset { by: Speaker::Colleague, at: AT },
    ]
}

#[test]
fn every_mail_says_what_happened_where_and_what_to_do() {
    for mail in mails() {
        let letter = ours().write(None, "alice", PLACE, &mail).unwrap();
        assert!(letter.subject.contains("wiki") && letter.subject.len() < 78, "{}", letter.subject);
        for words in ["Hello alice", "wiki (wiki.example.com)", "Example Ltd", "our password"] {
            assert!(letter.text.contains(words), "{words} is missing: {}", letter.text);
        }
        assert!(!letter.text.contains("://"), "a mail of ours has no links: {}", letter.text);
        for line in letter.text.lines() {
            assert!(line.len() < 100 && line.trim_end() == line, "{line:?}");
        }
    }
    let letter = ours().write(None, "alice", PLACE, &enrolled("my phone")).unwrap();
    assert!(letter.text.contains("App:     my phone\n"), "{}", letter.text);
    assert!(letter.text.contains("When:    24 November 2026, 14:05 UTC\n"), "{}", letter.text);
    let code = |minutes| Mail::Code { code: "482 193".to_owned(), minutes };
    for (minutes, words) in [(1, "for 1 minute and"), (10, "for 10 minutes and")] {
        let letter = ours().write(None, "alice", PLACE, &code(minutes)).unwrap();
        assert!(letter.text.contains("\n    482 193\n") && letter.text.contains(words));
    }
}

#[test]
fn every_language_has_words_of_its_own() {
    let cases = [
        (Language::En, "Hello alice,", "a colleague", "24 November 2026"),
        (Language::Nl, "Hallo alice,", "een collega", "24 november 2026"),
        (Language::De, "Guten Tag alice,", "jemanden aus Ihrem Haus", "24. November 2026"),
        (Language::Fr, "Bonjour alice,", "un collègue", "24 novembre 2026"),
    ];
    for (language, hello, by, date) in cases {
        for mail in mails() {
            let letter = ours().write(Some(language), "alice", PLACE, &mail).unwrap();
            assert_eq!(letter.language, language);
            assert!(letter.subject.contains("wiki") && letter.text.contains(hello));
            for words in ["wiki (wiki.example.com)", "Example Ltd"] {
                let text = letter.text.replace('\n', " ");
                assert!(text.contains(words), "{words} is missing: {text}");
            }
            for line in letter.text.lines() {
                assert!(line.chars().count() < 100 && line.trim_end() == line, "{line:?}");
            }
            if let Mail::Reset { .. } = mail {
                assert!(letter.text.contains(by) && letter.text.contains(date));
            }
        }
    }
}

#[test]
fn who_wishes_for_what_is_not_spoken_gets_the_first_language() {
    let languages = Languages::new(Language::Nl, vec![Language::En]);
    let branding = Branding { languages, ..branding(None) };
    let letters = Letters::new(&branding).unwrap();
    for (wished, hello) in
        [(None, "Hallo"), (Some(Language::Fr), "Hallo"), (Some(Language::En), "Hello")]
    {
        let letter = letters.write(wished, "alice", PLACE, &enrolled("x")).unwrap();
        assert!(letter.text.starts_with(hello), "{}", letter.text);
    }
}

#[test]
fn no_value_adds_a_line_or_a_link() {
    let lines = ["x\r\nBcc: eve@evil.test", "x\nEve", "x\u{2028}Eve", "x\u{202e}Eve", "x\u{85}Eve"];
    for name in lines {
        let letter = ours().write(None, name, (name, name), &enrolled(name)).unwrap();
        let fair = ours().write(None, "x", ("x", "x"), &enrolled("x")).unwrap();
        assert_eq!(letter.subject.lines().count(), 1);
        assert!(!letter.subject.chars().any(char::is_control), "{:?}", letter.subject);
        assert_eq!(letter.text.lines().count(), fair.text.lines().count(), "{}", letter.text);
        assert!(!letter.text.contains(['\r', '\u{2028}', '\u{202e}', '\u{85}']));
    }
    for label in ["see http://evil.test/x", "call eve@evil.test", "www.evil.test", "<a href=x>"] {
        let letter = ours().write(None, "alice", PLACE, &enrolled(label)).unwrap();
        assert!(!letter.text.contains("evil.test"), "{}", letter.text);
        assert!(!letter.text.contains(['<', '@']), "{}", letter.text);
    }
}

#[test]
fn a_value_is_text_and_no_template() {
    let letter = ours().write(None, "{{ brand }}", PLACE, &enrolled("x")).unwrap();
    assert!(letter.text.contains("Hello {{ brand }},"), "{}", letter.text);
    let letter = ours().write(None, "o'neil & <sons>", PLACE, &enrolled("x")).unwrap();
    assert!(letter.text.contains("Hello o'neil & <sons>,"), "{}", letter.text);
}

/// What a folder with these mails in it makes of all.
fn replaced_by(mails: &[(&str, &str)]) -> Result<Letters, LetterError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in mails {
        let path = folder.path().join("mail").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Letters::new(&branding(Some(folder.path())))
}

/// What a folder with this one mail in it makes of all.
fn replaced(name: &str, text: &str) -> Result<Letters, LetterError> {
    replaced_by(&[(name, text)])
}

#[test]
fn operators_may_write_their_own() {
    let letters =
        replaced("enrolled.txt", "Neu: {{ portal }}\r\n\r\nHallo {{ user }}!\r\n").unwrap();
    let letter = letters.write(None, "alice", PLACE, &enrolled("x")).unwrap();
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
    assert!(unknown.contains("known names are authenticator-added.txt, "), "{unknown}");
}

#[test]
fn operators_may_write_their_own_in_each_language() {
    let mails = [
        ("enrolled.txt", "New: {{ portal }}\n\nHi!\n"),
        ("nl/enrolled.txt", "Nieuw: {{ portal }}\n\nDag!\n"),
        ("en/reset.txt", "Gone: {{ portal }}\n\nBye!\n"),
    ];
    let letters = replaced_by(&mails).unwrap();
    let subject = |language, mail: &Mail| {
        letters.write(Some(language), "alice", PLACE, mail).unwrap().subject
    };
    assert_eq!(subject(Language::En, &enrolled("x")), "New: wiki");
    assert_eq!(subject(Language::Nl, &enrolled("x")), "Nieuw: wiki");
    assert!(subject(Language::De, &enrolled("x")).contains("Authenticator-App"));
    let reset = Mail::Reset { by: Speaker::Colleague, at: AT };
    assert_eq!(subject(Language::En, &reset), "Gone: wiki");

    let twice = replaced_by(&[("reset.txt", "A\n\nb\n"), ("en/reset.txt", "A\n\nb\n")]);
    assert!(matches!(twice, Err(LetterError::Override(OverrideError::Twice { .. }))));
    let unknown = replaced("es/reset.txt", "A\n\nb\n").unwrap_err().to_string();
    assert!(unknown.contains("known names are en, nl, de, fr"), "{unknown}");
    let broken = replaced("fr/reset.txt", "A\n\n{{ usr }}\n").unwrap_err().to_string();
    assert!(broken.contains("mail/fr/reset.txt:3: undefined value"), "{broken}");
}
