//! Which series there are, and what is promised of them.

/// The bare detection that `corosync.conf`'s token 1000 and consensus 100 give, in milliseconds, and what
/// sfha may add to it.
const CUT_LIMIT_MS: f64 = 1063.0 + 500.0;

/// System, series, statement.
type Row = (&'static str, &'static str, &'static str);

/// System, series, statement, limit, and whether the worst run counts rather than the median.
type Promise = (&'static str, &'static str, &'static str, f64, bool);

/// What is promised.
pub(super) const LIMITS: &[Promise] = &[
    ("sfha", "join", "join, from the command to a quorate member, ms", 5000.0, true),
    ("sfha", "cut_gap", "power cut: silence of the VIP, ms", CUT_LIMIT_MS, false),
    ("sfha", "stop_gap", "clean stop: silence of the VIP, ms", 100.0, true),
    ("sfha", "two_holders", "two holders in any of the faults, ms", 0.0, true),
    ("sfha", "kill_address_left", "kill -9: the address stays, ms", 1000.0, true),
    ("sfhad", "rss_mib", "sfhad idle, resident, MiB", 20.0, true),
    ("sfhad", "cpu_percent", "sfhad idle, share of a core, %", 1.0, true),
    ("holding", "move_gap", "20 planned moves of a VIP: median silence, ms", 10.0, false),
    ("holding", "move_gap", "20 planned moves of a VIP: worst silence, ms", 30.0, true),
    ("holding", "many_gap", "20 VIPs moved together: silence, ms", 50.0, true),
    ("holding", "isolation_two_holders", "holder cut from its peers: two holders, ms", 0.0, true),
    ("sixteen", "formed", "all nodes of the big cluster joined, ms", 120_000.0, true),
    ("sixteen", "join_lost", "packets lost between members while others join", 0.0, true),
    ("sixteen", "idle_rings", "rings formed anew while nothing happens", 0.0, true),
    ("sixteen", "rotation_gap", "all keys changed: silence of a pair, ms", 250.0, true),
    ("sixteen", "rotation_rings", "rings formed anew while all keys change", 0.0, true),
    ("wireguard", "apply_ratio", "200 peers: applied by sfhad : by wg setconf", 1.5, false),
    ("wireguard", "read_cpu_percent", "200 peers read every second, share of a core, %", 1.0, true),
    ("wireguard", "rate_ratio_1", "throughput, one stream: wireguard-go : sfha-wg", 1.0, false),
    ("wireguard", "rate_ratio_4", "throughput, four streams: wireguard-go : sfha-wg", 1.0, false),
    ("wireguard", "cpu_ratio_1", "CPU per byte, one stream: sfha-wg : wireguard-go", 1.0, false),
    ("wireguard", "cpu_ratio_4", "CPU per byte, four streams: sfha-wg : wireguard-go", 1.0, false),
    ("console", "first_small", "console: from the start to the cluster on the screen, ms", 50.0, false),
    ("console", "event_small", "console, 3 nodes: from a change to the screen, ms", 100.0, true),
    ("console", "event_large", "console, 16 nodes: from a change to the screen, ms", 100.0, true),
];

/// Series that are compared with keepalived's.
pub(super) const COMPARED: &[(&str, &str)] = &[
    ("cut_gap", "power cut: silence"),
    ("stop_gap", "clean stop: silence"),
    ("two_holders", "two holders (keepalived: after `kill -9`)"),
];

/// Series of sfha alone.
pub(super) const ALONE: &[Row] = &[
    ("sfha", "corosync_detection", "power cut to Corosync's callback, ms"),
    ("sfha", "kill_gap", "kill -9: silence, ms"),
    ("sfha", "kill_address_left", "kill -9: the address stays, ms"),
    ("sfha", "failover_gap", "planned failover: silence, ms"),
    ("sfha", "failover_command", "planned failover: the command, ms"),
    ("sfha", "init", "init, ms"),
    ("sfha", "join", "join, ms"),
    ("sfha", "boot_to_operational", "power on to operational member, ms"),
    ("sfhad", "rss_mib", "sfhad idle: resident, MiB"),
    ("sfhad", "pss_mib", "sfhad idle: proportional, MiB"),
    ("sfhad", "cpu_percent", "sfhad idle: share of a core, %"),
    ("sfha-wg", "rss_mib", "sfha-wg idle: resident, MiB"),
    ("sfha-wg", "pss_mib", "sfha-wg idle: proportional, MiB"),
    ("sfha-wg", "cpu_percent", "sfha-wg idle: share of a core, %"),
    ("holding", "move_gap", "planned move of a VIP: silence, ms"),
    ("holding", "many_gap", "20 VIPs moved together: silence of each, ms"),
    ("holding", "many_command", "20 VIPs moved together: the command, ms"),
    ("holding", "isolation_gap", "holder cut from its peers: silence, ms"),
    ("holding", "isolation_two_holders", "holder cut from its peers: two holders, ms"),
    ("sixteen", "formed", "big cluster: all joined, ms"),
    ("sixteen", "join", "big cluster: one join, ms"),
    ("sixteen", "rotation", "big cluster: one new key, ms"),
    ("sixteen", "rotation_gap", "big cluster, new keys: silence of a pair, ms"),
    ("sixteen", "prober_pause", "big cluster, new keys: the probers' own pause, ms"),
    ("wireguard", "apply", "200 peers applied by sfhad, ms"),
    ("wireguard", "setconf", "200 peers applied by wg setconf, ms"),
    ("wireguard", "read_cpu_percent", "200 peers read every second: share of a core, %"),
    ("sfha-wg", "gbit_1", "sfha-wg, one stream, Gbit/s"),
    ("wireguard-go", "gbit_1", "wireguard-go, one stream, Gbit/s"),
    ("sfha-wg", "gbit_4", "sfha-wg, four streams, Gbit/s"),
    ("wireguard-go", "gbit_4", "wireguard-go, four streams, Gbit/s"),
    ("sfha-wg", "cpu_1", "sfha-wg, one stream, CPU s per GB"),
    ("wireguard-go", "cpu_1", "wireguard-go, one stream, CPU s per GB"),
    ("sfha-wg", "cpu_4", "sfha-wg, four streams, CPU s per GB"),
    ("wireguard-go", "cpu_4", "wireguard-go, four streams, CPU s per GB"),
    ("console", "first_small", "console, 3 nodes: from the start to the cluster on the screen, ms"),
    ("console", "first_large", "console, 16 nodes: from the start to the cluster on the screen, ms"),
    ("console", "first_cpu_small", "console, 3 nodes: processor time until then, ms"),
    ("console", "first_cpu_large", "console, 16 nodes: processor time until then, ms"),
    ("console", "event_small", "console, 3 nodes: from a change to the screen, ms"),
    ("console", "event_large", "console, 16 nodes: from a change to the screen, ms"),
];
