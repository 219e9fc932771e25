use super::*;

const USUAL: &str = r#"! Configuration File for keepalived
global_defs {
    notification_email { admin@example.org }
}
vrrp_script chk_haproxy {
    script "/usr/bin/killall -0 haproxy"   # cheaper than pidof
    interval 2
    weight 2
    fall 3
}
vrrp_script relative {
    script "check.sh"
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 101
    nopreempt
    authentication {
        auth_type PASS
        auth_pass s3cret
    }
    virtual_ipaddress {
        192.168.1.100/24 brd 192.168.1.255 dev eth1 label eth1:vip
        192.168.1.101
        not-an-address
    }
    track_script { chk_haproxy
      gone
    }
    notify_master "/usr/local/bin/up.sh"
}
vrrp_instance VI_2 {
    interface eth2
    virtual_ipaddress { 2001:db8::10/64 }
}
vrrp_sync_group G {
    group {
        VI_1
        VI_2
    }
}
virtual_server 192.168.1.100 80 {
    real_server 10.0.0.1 80 { weight 1 }
}
"#;

#[test]
fn addresses_and_checks_are_taken_over_and_what_moves_together_stays_together() {
    let imported = import(USUAL);
    assert_eq!((imported.vips, imported.checks), (3, 1));
    insta::assert_snapshot!(imported.yaml);
    let whole = format!("{}{}", new_file("prod", "node1", false), imported.yaml);
    let checked = check(&whole, &Context::default());
    assert_eq!(checked.findings, []);
    let shared = &checked.valid().unwrap().shared;
    assert!(shared.checks["chk_haproxy"].critical);
    assert_eq!(shared.constraints.len(), 2);
}

#[test]
fn what_is_not_taken_over_is_told_with_its_line_and_its_reason_and_no_secret() {
    let left: Vec<(usize, String, Reason)> =
        import(USUAL).left_out.into_iter().map(|left| (left.line, left.what, left.reason)).collect();
    let expected = [
        (2, "global_defs", Reason::NotNeeded),
        (8, "weight 2", Reason::Weight),
        (11, "vrrp_script relative", Reason::ScriptPath),
        (15, "state MASTER", Reason::NotNeeded),
        (17, "virtual_router_id 51", Reason::NotNeeded),
        (18, "priority 101", Reason::Priority),
        (19, "nopreempt", Reason::Failback),
        (20, "authentication", Reason::NotNeeded),
        (27, "not-an-address", Reason::Invalid),
        (30, "gone", Reason::UnknownScript),
        (32, "notify_master /usr/local/bin/up.sh", Reason::Hook),
        (44, "virtual_server 192.168.1.100 80", Reason::LoadBalancing),
    ];
    assert_eq!(left, expected.map(|(line, what, reason)| (line, what.to_owned(), reason)));
    let secret = import("vrrp_instance A {\n auth_pass s3cret\n}\nauth_pass s3cret\n");
    assert!(!format!("{:?}", secret.left_out).contains("s3cret"), "{:?}", secret.left_out);
}

#[test]
fn the_same_address_or_a_strange_name_is_no_trouble() {
    let imported = import(
        "vrrp_instance é/1 {\n virtual_ipaddress {\n 10.0.0.1/24\n 10.0.0.1/24\n 10.0.0.0/24\n }\n}\n\
         vrrp_instance é/1 {\n virtual_ipaddress { 10.0.0.2/24 }\n}\n",
    );
    assert_eq!(imported.vips, 2);
    assert!(
        imported.yaml.contains("name: k--1\n") && imported.yaml.contains("name: k--1-2\n"),
        "{}",
        imported.yaml
    );
    let reasons: Vec<Reason> = imported.left_out.iter().map(|left| left.reason).collect();
    assert_eq!(reasons, [Reason::Duplicate, Reason::Invalid]);
}

#[test]
fn braces_too_many_or_too_few_and_nothing_at_all_are_read_as_they_come() {
    for text in ["", "}", "{{{{", "vrrp_instance", "vrrp_instance {", &"{".repeat(5000), "a \"b", "\u{0}"] {
        let imported = import(text);
        assert_eq!((imported.vips, imported.yaml.as_str()), (0, ""), "{text:.20}");
    }
}

/// Words of keepalived's, and some that are not.
const WORDS: &[&str] = &[
    "vrrp_instance",
    "vrrp_script",
    "vrrp_sync_group",
    "virtual_ipaddress",
    "group",
    "track_script",
    "script",
    "interface",
    "interval",
    "timeout",
    "fall",
    "rise",
    "dev",
    "weight",
    "A",
    "B",
    "é",
    "-",
    "\"/bin/true x\"",
    "/bin/no",
    "eth0",
    "a:b",
    "10.0.0.1/24",
    "10.0.0.1",
    "10.0.0.0/24",
    "::1",
    "2001:db8::1/64",
    "0",
    "1",
    "0.5",
    "99999999",
    "{",
    "}",
    "{",
    "}",
    "\n",
    "\n",
    "\n",
    "#",
    "\"",
    "\u{a0}",
    "a: b",
    "'",
    "%",
    "~",
];

proptest::proptest! {
    #[test]
    fn whatever_is_imported_is_a_config_without_a_fault(
        words in proptest::collection::vec(proptest::sample::select(WORDS), 0..60),
    ) {
        let imported = import(&words.join(" "));
        let whole = format!("{}{}", new_file("cluster", "node", false), imported.yaml);
        let checked = check(&whole, &Context::default());
        let shared = &checked.valid().expect("it is valid").shared;
        assert_eq!((shared.vips.len(), shared.checks.len()), (imported.vips, imported.checks));
    }
}
