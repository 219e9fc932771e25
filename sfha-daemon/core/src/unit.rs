//! Names of systemd units that a service may be.

/// What a unit's name can end in, of those that can be started and stopped to some use (systemd.unit(5)).
const SUFFIXES: [&str; 6] = [".service", ".socket", ".target", ".timer", ".mount", ".path"];

/// Units that the cluster itself stands on: to stop one is to leave.
const OWN: [&str; 3] = ["sfha.service", "sfha-wg.service", "corosync.service"];

/// The whole name of a unit, as systemd wants it; `None` when it is no name of one that can run.
#[must_use]
pub fn whole_name(text: &str) -> Option<String> {
    let name = match SUFFIXES.iter().any(|suffix| text.ends_with(suffix)) {
        true => text.to_owned(),
        false => format!("{text}.service"),
    };
    let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    // A template without its instance (`foo@.service`) cannot run.
    let fits = name.len() <= 255 && !stem.is_empty() && !stem.ends_with('@') && name.chars().all(allowed);
    fits.then_some(name)
}

/// Whether the cluster itself stands on that unit.
#[must_use]
pub fn is_own(name: &str) -> bool {
    OWN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_has_its_suffix() {
        for (text, whole) in [
            ("nginx", "nginx.service"),
            ("nginx.service", "nginx.service"),
            ("srv-data.mount", "srv-data.mount"),
            ("my.app", "my.app.service"),
            ("pg@14-main", "pg@14-main.service"),
        ] {
            assert_eq!(whole_name(text).as_deref(), Some(whole));
        }
        for wrong in ["", ".service", "a b", "a/b", "../x", "app@", "app@.service", &"x".repeat(300)] {
            assert_eq!(whole_name(wrong), None, "{wrong:?}");
        }
    }
}
