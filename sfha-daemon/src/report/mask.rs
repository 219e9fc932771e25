//! Leaves out what sounds like a secret, in YAML and JSON as people and programs write them: by lines, so that a
//! file that does not read is masked, too.

/// What stands in the place of a secret.
pub const HIDDEN: &str = "(hidden)";

/// Keys that hold one, by a part of their name. A hook's URL is often one as a whole.
const SOUNDS: &[&str] = &[
    "secret",
    "passw",
    "passphrase",
    "authorization",
    "token",
    "headers",
    "body_template",
    "private",
    "hooks",
];

/// Keys that sound like it and hold none.
const HARMLESS: &[&str] = &["token_id", "token_secret_file", "token_ms", "passwd_script_file"];

/// The text, without the values of such keys, and of all that stands below them.
#[must_use]
pub fn mask(text: &str) -> String {
    let mut out = String::new();
    walk(text, |shown, value| {
        out.push_str(shown);
        if value.is_some() {
            out.push_str(HIDDEN);
        }
        out.push('\n');
    });
    out
}

/// The values that [`mask`] leaves out, without their quotes.
pub fn hidden_values(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(text, |_, value| {
        let Some(value) = value else { return };
        // Of a line below such a key both the whole and what stands behind its own key.
        for part in [Some(value), value.split_once(": ").map(|(_, part)| part)].into_iter().flatten() {
            let part = part.trim().trim_end_matches(',').trim_matches(['"', '\'']);
            if !part.is_empty() && !matches!(part, "|" | ">" | "{" | "[" | "null") {
                found.push(part.to_owned());
            }
        }
    });
    found
}

/// Calls with the part of each line that may be seen, and the part that may not.
fn walk<'t>(text: &'t str, mut each: impl FnMut(&'t str, Option<&'t str>)) {
    // The column of the key whose value is being left out.
    let mut below: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let content = &line[indent..];
        if let Some(column) = below
            && (content.is_empty() || indent > column)
        {
            if !content.is_empty() {
                each(&line[..indent], Some(content));
            }
            continue;
        }
        below = None;
        match secret_at(content) {
            Some(after) => {
                let (shown, value) = line.split_at(indent + after);
                below = Some(indent);
                let value = value.trim();
                each(shown, (!value.is_empty()).then_some(value));
            }
            None => each(line, None),
        }
    }
}

/// Where, behind its first such key, the value in a line begins. Several keys may stand in one line: what follows
/// the first of them is left out with it.
fn secret_at(content: &str) -> Option<usize> {
    if content.starts_with('#') {
        return None;
    }
    let mut from = 0;
    while let Some(colon) = content[from..].find(':').map(|at| from + at) {
        let key =
            content[..colon].rsplit(['{', ',', '[', ' ']).find(|word| !word.is_empty()).unwrap_or_default();
        let key = key.trim_matches(['"', '\'']).to_ascii_lowercase();
        let secret = SOUNDS.iter().any(|sound| key.contains(sound)) && !HARMLESS.contains(&key.as_str());
        if secret {
            let rest = &content[colon + 1..];
            return Some(colon + 1 + (rest.len() - rest.trim_start().len()));
        }
        from = colon + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sounds_like_a_secret_is_left_out_with_all_below_it() {
        let text = "stonith:\n  proxmox:\n    api_url: https://pve:8006\n    token_id: a@pam!b\n    token_secret: \"s3cret\"\n\
                    \x20 webhook: {fence_url: http://x, headers: {Authorization: Bearer abc}}\n\
                    \x20 headers:\n    X-Key: first\n    X-More: |\n      second\n  after: seen\n\
                    - password: third\n  user: seen\n\
                    hooks:\n- {name: chat, url: https://chat.example/fourth}\n";
        let masked = mask(text);
        for secret in ["s3cret", "abc", "first", "second", "third", "fourth"] {
            assert!(!masked.contains(secret), "{secret} in {masked}");
        }
        for seen in [
            "api_url: https://pve:8006",
            "token_id: a@pam!b",
            "fence_url: http://x",
            "after: seen",
            "user: seen",
        ] {
            assert!(masked.contains(seen), "{seen} not in {masked}");
        }
        assert_eq!(
            hidden_values("a: b\npassword: 'third'\nheaders:\n  X: y z\n"),
            ["third", "X: y z", "y z"]
        );
    }

    #[test]
    fn json_is_masked_on_one_line_or_many() {
        let pretty = "{\n  \"token_secret\": \"s3cret\",\n  \"name\": \"seen\"\n}\n";
        assert_eq!(mask(pretty), format!("{{\n  \"token_secret\": {HIDDEN}\n  \"name\": \"seen\"\n}}\n"));
        assert_eq!(hidden_values(pretty), ["s3cret"]);
        let line = "{\"name\":\"seen\",\"password\":\"s3cret\",\"more\":1}";
        assert_eq!(mask(line), format!("{{\"name\":\"seen\",\"password\":{HIDDEN}\n"));
    }

    #[test]
    fn what_is_no_secret_stays_byte_by_byte() {
        let text = "# password: none\ncluster:\n  name: prod\n\nvips:\n- {name: web, ip: 10.0.0.1}\n";
        assert_eq!(mask(text), text);
    }
}
