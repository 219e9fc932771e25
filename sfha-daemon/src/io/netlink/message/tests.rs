use std::path::Path;

use super::*;

const VIP: &str = "192.0.2.100/32";

fn old_kernel() -> Ownership {
    Ownership::of_kernel("5.10.0-30-amd64")
}

/// What an old kernel reports about `address` with `flags`: no tag.
fn untagged(address: &str, flags: AddressFlags) -> AddressMessage {
    let mut message = address_message(7, address.parse().unwrap(), None);
    message.attributes.push(AddressAttribute::Flags(flags));
    message
}

fn state(line: &str) -> StateFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), line).unwrap();
    StateFile::load(file.path())
}

fn ours(ownership: &Ownership, message: &AddressMessage, vips: &StateFile) -> bool {
    ownership.address(message, vips, |_| "eth0".to_owned()).unwrap().ours
}

#[test]
fn tags_are_expected_from_5_18_on() {
    for (release, has) in [
        ("5.18.0", true),
        ("6.1.0-9-amd64", true),
        ("5.17.15", false),
        ("4.19", false),
        ("10.0-rc1", true),
        ("", false),
    ] {
        assert_eq!(Ownership::of_kernel(release).has_tags(), has, "{release}");
    }
}

#[test]
fn a_tag_that_is_seen_proves_that_the_kernel_has_them() {
    let ownership = old_kernel();
    ownership.learn(&[untagged(VIP, AddressFlags::empty())]);
    assert!(!ownership.has_tags());
    ownership.learn(&[address_message(7, VIP.parse().unwrap(), Some(2))]);
    assert!(ownership.has_tags());
}

#[test]
fn only_our_own_tag_is_ours() {
    let ownership = Ownership::of_kernel("6.1");
    let vips = state("eth0 192.0.2.100\n");
    let mut message = address_message(7, VIP.parse().unwrap(), Some(2));
    assert!(ours(&ownership, &message, &vips));
    assert!(ours(&ownership, &message, &StateFile::load(Path::new("/nonexistent"))));
    for other in [0, 1, 2, 3, 0x5e, 0xff] {
        message.attributes.retain(|attribute| !matches!(attribute, AddressAttribute::Protocol(_)));
        message.attributes.push(AddressAttribute::Protocol(other.into()));
        assert!(!ours(&ownership, &message, &vips), "{other}");
    }
    // Somebody took the address over since it was noted.
    assert!(!ours(&ownership, &untagged(VIP, AddressFlags::Noprefixroute), &vips));
}

#[test]
fn without_tags_the_state_file_decides_about_what_could_be_ours() {
    let ownership = old_kernel();
    let noted = state("eth0 192.0.2.100\neth0 fd00::100\n");
    let lease = AddressFlags::Noprefixroute;
    assert!(ours(&ownership, &untagged(VIP, lease), &noted));
    assert!(ours(&ownership, &untagged("fd00::100/128", lease | AddressFlags::Nodad), &noted));

    assert!(!ours(&ownership, &untagged("192.0.2.101/32", lease), &noted), "not noted");
    assert!(!ours(&ownership, &untagged(VIP, lease), &state("eth1 192.0.2.100\n")), "noted elsewhere");
    assert!(!ours(&ownership, &untagged("192.0.2.100/24", lease), &noted), "with a network");
    assert!(!ours(&ownership, &untagged(VIP, AddressFlags::empty()), &noted), "with a route");
    assert!(!ours(&ownership, &untagged(VIP, lease | AddressFlags::Permanent), &noted), "for ever");
}

#[test]
fn the_local_end_of_a_point_to_point_link_is_the_address() {
    let mut message = untagged("10.0.0.1/32", AddressFlags::Permanent);
    message.attributes.retain(|attribute| !matches!(attribute, AddressAttribute::Address(_)));
    message.attributes.insert(0, AddressAttribute::Address("10.0.0.2".parse().unwrap()));
    assert_eq!(address_of(&message), Some("10.0.0.1/32".parse().unwrap()));
}
