//! That each dependency has its reason in docs/dependencies.md, named in code type, so that
//! none is taken on in passing.

/// Dependencies of the manifest that `reasons` does not name.
pub(crate) fn faults(manifest: &str, reasons: &str) -> Vec<String> {
    named(manifest)
        .into_iter()
        .filter(|name| !reasons.contains(&format!("`{name}`")))
        .map(|name| format!("docs/dependencies.md: says nothing of `{name}`"))
        .collect()
}

/// Names in the sections for dependencies. A manifest of ours has one key per line.
fn named(manifest: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut in_section = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            in_section = section.ends_with("dependencies");
            if let Some((_, name)) = section.split_once("dependencies.") {
                names.push(name);
            }
        } else if in_section && let Some((name, _)) = line.split_once('=') {
            let is_key = !name.starts_with([' ', '#']);
            names.extend(is_key.then(|| name.trim()));
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "\
[package]
name = \"x\"

[dependencies]
# why = \"not a key\"
bytes = \"1\"
tokio = { version = \"1\" }

[dependencies.http]
version = \"1\"

[dev-dependencies]
tempfile = \"3\"
tokio = \"1\"

[profile.release]
lto = \"fat\"
";

    #[test]
    fn every_section_is_read_and_nothing_else() {
        assert_eq!(named(MANIFEST), ["bytes", "http", "tempfile", "tokio"]);
    }

    #[test]
    fn a_dependency_without_a_reason_is_a_fault() {
        let reasons = "- `bytes`: buffers\n- `http`: types\n- `tempfile-not`\n- `tokio`: runtime\n";
        let faults = faults(MANIFEST, reasons);
        assert_eq!(faults, ["docs/dependencies.md: says nothing of `tempfile`"]);
    }
}
