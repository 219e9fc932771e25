use super::*;

fn vip(address: &str) -> Vip {
    let address = if address.contains('/') { address.to_owned() } else { format!("{address}/24") };
    Vip { address: address.parse().unwrap(), interface: None, prefer: Vec::new() }
}

fn with_vips(vips: &[(&str, &str)]) -> Shared {
    let vips = vips.iter().map(|(name, address)| ((*name).to_owned(), vip(address))).collect();
    Shared { vips, ..Shared::default() }
}

#[test]
fn a_state_and_its_entries_are_the_same_thing() {
    let mut configured = Configured::default();
    configured.services.insert("a".into(), Service::new("a.service"));
    let tcp = |service: Option<&str>| HealthCheck {
        probe: sfha_core::resources::Probe::Tcp { target: "x:1".into() },
        interval_ms: 1,
        timeout_ms: 1,
        fall: 1,
        rise: 1,
        start_grace_ms: 0,
        service: service.map(str::to_owned),
        critical: false,
        restart_unit: None,
    };
    configured.checks.insert("a".into(), tcp(Some("a")));
    configured.checks.insert("b".into(), tcp(Some("a")));
    configured.checks.insert("c".into(), tcp(None));
    let shared = Shared::from(&configured);
    assert!(shared.services["a"].check.is_some());
    assert_eq!(shared.checks.keys().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(Configured::from(&shared), configured);

    // What refers to a service that was removed is no entry: no file could have it.
    configured.constraints.push(Constraint::Order { first: "c".into(), then: "a".into() });
    configured.services.clear();
    let shared = Shared::from(&configured);
    assert_eq!(shared.checks.keys().collect::<Vec<_>>(), ["c"]);
    assert!(shared.constraints.is_empty());
}

#[test]
fn a_file_follows_what_changed_in_the_state_and_keeps_what_was_edited_in_it() {
    let base = with_vips(&[
        ("same", "10.0.0.1"),
        ("theirs", "10.0.0.2"),
        ("gone", "10.0.0.3"),
        ("mine", "10.0.0.4"),
    ]);
    let file = with_vips(&[
        ("same", "10.0.0.1"),
        ("theirs", "10.0.0.2"),
        ("gone", "10.0.0.3"),
        ("mine", "10.0.1.4"),
        ("new here", "10.0.0.5"),
    ]);
    let state = with_vips(&[
        ("same", "10.0.0.1"),
        ("theirs", "10.0.1.2"),
        ("mine", "10.0.0.4"),
        ("new there", "10.0.0.6"),
    ]);
    let mut followed = file.clone();
    file.follow(&base, &state).iter().for_each(|change| followed.apply(change));
    let wanted = with_vips(&[
        ("same", "10.0.0.1"),
        ("theirs", "10.0.1.2"),
        ("mine", "10.0.1.4"),
        ("new here", "10.0.0.5"),
        ("new there", "10.0.0.6"),
    ]);
    assert_eq!(followed, wanted);
    // Nothing changed there: nothing is done here, however much was edited.
    assert_eq!(file.follow(&base, &base), []);
    // It has been done already.
    assert_eq!(followed.follow(&base, &state), []);
}

#[test]
fn a_difference_says_what_was_and_what_becomes() {
    let changes = with_vips(&[("a", "10.0.0.1/24")]).changes_to(&with_vips(&[("b", "10.0.0.2/24")]));
    let told: Vec<Told> = changes.iter().map(Change::told).collect();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].kind.as_str(), told[0].name.as_str(), &told[0].to), ("vip", "a", &None));
    assert_eq!(told[0].from, Some(json!({"ip": "10.0.0.1", "cidr": 24})));
    assert_eq!((&told[1].from, told[1].to.clone()), (&None, Some(json!({"ip": "10.0.0.2", "cidr": 24}))));
}
