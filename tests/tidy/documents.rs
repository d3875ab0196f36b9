//! That a document names only what is there. A reader who follows a name into nothing stops
//! trusting the rest.

/// Folders of the repository: a path that starts with one of them is meant to exist.
const FOLDERS: [&str; 11] = [
    ".ci/",
    "benches/",
    "config/",
    "deploy/",
    "docs/",
    "fuzz/",
    "locales/",
    "scripts/",
    "src/",
    "templates/",
    "tests/",
];
/// Kinds of file that are never an operator's own.
const KINDS: [&str; 3] = [".rs", ".md", ".toml"];

/// Names in the document `name` behind which there is nothing.
pub(crate) fn faults(name: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    // Rooms and their files are named from src/ on, once the reader is in the house.
    let is_there = |path: &str| exists(path) || exists(&format!("src/{path}"));
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let links = links(line).into_iter().filter(|path| !exists(path));
        let paths = paths(line).into_iter().filter(|path| !is_there(path));
        faults.extend(
            links.chain(paths).map(|path| format!("{name}:{}: {path} is not there", index + 1)),
        );
    }
    faults
}

/// Targets of links into the repository.
fn links(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .filter(|target| !target.starts_with("mailto:"))
        .collect()
}

/// Words that are paths of the repository, in code or in prose.
fn paths(line: &str) -> Vec<&str> {
    line.split(|sign: char| !(sign.is_ascii_alphanumeric() || "/._-*{}<>:~$".contains(sign)))
        .map(|word| word.trim_end_matches([':', '.']))
        .map(|word| word.strip_prefix("./").unwrap_or(word))
        .filter(|word| !word.contains(['*', '{', '}', '<', '>', ':', '~', '$']))
        .filter(|word| is_path(word))
        .collect()
}

fn is_path(word: &str) -> bool {
    let is_outside = word.starts_with('/') || word.starts_with("..");
    let is_below = FOLDERS.iter().any(|folder| word.starts_with(folder));
    let is_file =
        KINDS.iter().any(|kind| word.strip_suffix(kind).is_some_and(|stem| !stem.is_empty()));
    !is_outside && (is_below || is_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: [&str; 5] =
        ["src/clock.rs", "scripts/demo", ".ci/run", "docs/first.md", "src/policy/"];

    fn count(line: &str) -> usize {
        faults("README.md", line, |path| THERE.contains(&path)).len()
    }

    #[test]
    fn what_is_there_may_be_named() {
        for line in [
            "Run `scripts/demo`.",
            "Time comes from `clock.rs` (src/clock.rs).",
            "CI runs .ci/run alone.",
            "See [the first](docs/first.md#start).",
            "    ./scripts/demo",
        ] {
            assert_eq!(count(line), 0, "{line}");
        }
    }

    #[test]
    fn what_is_not_there_may_not() {
        for line in [
            "Run `scripts/demonstration`.",
            "Time comes from `time.rs`.",
            "See [the second](docs/second.md).",
            "See [it](missing.svg).",
            "Everything is in src/nowhere/.",
            "As `deny.toml` says.",
        ] {
            assert_ne!(count(line), 0, "{line}");
        }
    }

    #[test]
    fn what_is_no_path_of_ours_is_let_be() {
        for line in [
            "Open `/.mfa/enrol` at https://localhost:8443/docs/x.",
            "Keep it in `data/store`, in `/etc/portcullis/portcullis.yaml` or ~/config/mine.md.",
            "Files are `src/*/tests.rs` or `docs/{a,b}.md`.",
            "See [elsewhere](https://example.com/docs/x.md).",
        ] {
            assert_eq!(count(line), 0, "{line}");
        }
    }
}
