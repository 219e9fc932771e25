# The demonstration (make demo). French is the source; English follows it.

demo-title = sfha: three servers, one address, one power cut
demo-about = Shows the main job of sfha on this machine alone: three nodes, one mesh, one address that survives a power cut.
demo-lang = Language: fr or en (otherwise SFHA_LANG, then LANG)
demo-no-dashboard = Do not open the dashboard at the end

demo-step-lab = Three Debian systems boot on this machine, with a disk, a systemd and the package { $package } of their own
demo-done-lab = { $nodes } nodes are up, connected by a switch; a client is plugged into it ({ $time })
demo-step-init = The first node makes the cluster
demo-done-init = WireGuard mesh { $address }, Corosync and quorum are there ({ $time })
demo-step-join = { $node } joins the cluster, in one command
demo-done-join = a quorate member in { $time }, with the address { $ip } in the mesh
demo-step-vip = A floating address, which the cluster keeps on exactly one node
demo-done-vip = { $ip } is on { $node } and answers the client
demo-step-cut = Power cut on { $node }, which holds the address
demo-done-cut = { $ip } answers again, from { $node }: silent for { $gap } as the client sees it
demo-cut-quorum = the cluster goes on with { $votes } of { $expected } votes
demo-step-boot = The power is back on { $node }
demo-done-boot = booted and a member again in { $time }, without any command
demo-no-failback = the address stayed on { $node }: the return interrupted nothing
demo-step-stop = Maintenance: sfha is stopped cleanly on { $node }
demo-done-stop = { $node } took over: silent for { $gap } as the client sees it
demo-step-failover = And the address goes back, by command
demo-done-failover = { $node } has it again: silent for { $gap } as the client sees it
demo-one-holder = at no moment did two nodes have the address at once
demo-step-status = The cluster as { $node } sees it
demo-dashboard = Dashboard of { $node }: “q” leaves it, then everything is taken down.
demo-end = Everything is taken down; nothing is left on this machine.
demo-tearing-down = Interrupted: taking everything down…

demo-failed = Failed: { $what }
demo-took-too-long = { $what }: { $time }, at most { $limit } expected
demo-two-holders = two nodes had { $ip } at once for { $time }
demo-moved-back = the return of { $node } moved the address
