# Texts of sfha. French is the source: add there first.

## Numbers, sizes, times

format-percent = { $n }%
format-millis = { $n } ms
format-seconds = { $n } s
format-age-s = { $s }s
format-age-m = { $m }m { $s }s
format-age-h = { $h }h { $m }m
format-age-d = { $d }d { $h }h
format-b = { $n } B
format-kb = { $n } kB
format-mb = { $n } MB
format-gb = { $n } GB
format-tb = { $n } TB
format-b-s = { $n } B/s
format-kb-s = { $n } kB/s
format-mb-s = { $n } MB/s
format-gb-s = { $n } GB/s
format-date-time = { $date } { $time }
format-in = { $at }, in { $left }
format-past = { $at }, past

## States

node-online = online
node-offline = offline
node-no-daemon = no daemon
node-standby = standby
role-leader = leader
role-here = this node
vip-active = active
vip-acquiring = acquiring
vip-releasing = releasing
vip-waiting = waiting
vip-stopped = stopped
vip-failed = failed
vip-conflict = conflict
vip-unknown = unknown
peer-connected = connected
peer-stale = silent
peer-never = never seen
peer-foreign = { $name } (not a node)
service-active = active
service-starting = starting
service-stopping = stopping
service-stopped = stopped
service-failed = failed
service-unknown = unknown
service-elsewhere = runs on { $names } as well
health-good = passing
health-bad = failing
health-none = not yet
probe-http = HTTP
probe-tcp = TCP
probe-systemd = systemd
probe-program = program
check-timed-out = no answer in time
check-refused = connection refused
check-unreachable = unreachable
check-name = name not found
check-target = malformed target, HOST:PORT is expected
check-url = malformed URL
check-answer = answer not understood
check-certificate = certificate refused
check-ca-file = file of authorities cannot be read
check-body = expected text not in the answer
check-status = HTTP answer { $status }
check-exit = exit status { $code }
check-killed = program killed
check-program = program cannot be run
check-systemd = systemd does not answer
check-unit = unit { $state }
token-open = open
token-redeemed = used
token-expired = expired
phase-unconfigured = This node is in no cluster.
phase-disconnected = Corosync cannot be reached on this node.
phase-synchronising = The members are agreeing on their state.
phase-inquorate = No quorum.
phase-operational = In service.
phase-leaving = The daemon is stopping and releasing what it holds.
backend-kernel = kernel
backend-userspace = userspace
path-direct = direct
path-relay = via { $node }
endpoint-unresolved = the name of its endpoint does not resolve
endpoint-unreachable = no known endpoint of it answers
endpoint-unknown = no endpoint of it is known: it has to call first
peer-not-direct = { $node } is not reached directly: { $problem }.
peer-loses = { $node }: { $share } of the probes get no answer.
step-daemon = Starting the daemon
step-checking = Checking what is needed
step-keys = Making the keys
step-interface = Bringing wg-sfha up
step-contacting = Reaching the cluster
step-admission = Being admitted by the members
step-files = Writing the configuration
step-corosync = Starting Corosync
step-membership = Waiting for quorum and the cluster's state
step-key-prepare = New key made known to all
step-key-commit = Changing to the new key
step-key-cleanup = Forgetting the old key
step-of-node = { $node }: { $step }
step-other = Next step

## Is all well?

all-well = All is well: { $nodes ->
        [one] { $nodes } node
       *[other] { $nodes } nodes
    } online, { $vips ->
        [0] no VIP
        [one] { $vips } VIP active
       *[other] { $vips } VIPs active
    }.
concern-no-quorum = No quorum: { $votes ->
        [0] no vote
        [one] { $votes } vote
       *[other] { $votes } votes
    } present, { $needed } needed.
concern-no-leader = No leader for now.
concern-maintenance = Maintenance: sfha moves, starts and stops nothing.
concern-maintenance-until = Maintenance until { $at }: sfha moves, starts and stops nothing.
concern-versions = The nodes do not have the same version of sfha: { $nodes }.
concern-offline = { $count ->
        [one] { $count } node offline: { $names }.
       *[other] { $count } nodes offline: { $names }.
    }
concern-no-daemon = No sfhad daemon on { $names }.
concern-standby = On standby: { $names }.
concern-vip = VIP { $name }: { $state }.
concern-vip-problem = VIP { $name }: { $state } ({ $why }).
concern-vip-conflict = VIP { $name }: { $holder ->
        [no-value] { $by } on the network has { $address } already; nobody takes it.
       *[other] { $by } on the network claims { $address } too; { $holder } defends it.
    }
concern-mesh = Mesh: { $missing ->
        [one] { $missing } peer of { $peers } is silent.
       *[other] { $missing } peers of { $peers } are silent.
    }
concern-link = { $name ->
        [mesh] Corosync's link through the mesh does not reach { $names }.
        [lan] Corosync's link on the LAN does not reach { $names }.
       *[other] Corosync's link { $name } does not reach { $names }.
    }
concern-service = Service { $name }: { $state }.
concern-service-problem = Service { $name }: { $state } ({ $why }).
concern-health = Health check { $name } is failing.
concern-fencing = Fencing pending: { $names }.
unconfigured = This node is in no cluster yet.
unconfigured-next =
    To make one:
      sfha init --cluster NAME --mesh --ip 10.100.0.1/24
    To join one, with a token from its “sfha mesh token”:
      sfha join

## Tables

col-node = NODE
col-id = ID
col-state = STATE
col-address = ADDRESS
col-role = ROLE
col-vip = VIP
col-interface = INTERFACE
col-service = SERVICE
col-unit = UNIT
col-failures = FAILURES
col-check = CHECK
col-kind = TYPE
col-error = LAST ERROR
col-peer = PEER
col-handshake = HANDSHAKE
col-rx = RECEIVED
col-tx = SENT
col-rtt = LATENCY
col-endpoint = ENDPOINT
col-initiator = MADE BY
col-used-by = USED BY
col-expires = EXPIRES
no-nodes = No node.
no-vips = No VIP. To add one: sfha vip add NAME IP/CIDR
no-services = No service. To have the cluster run one: sfha service add NAME UNIT
no-health = No health check.
no-peers = No peer. To invite a node: sfha mesh token
no-tokens = No token. To make one: sfha mesh token
interface-auto = auto

## Facts

fact-cluster = Cluster
fact-quorum = Quorum
fact-leader = Leader
fact-detection = Detection
fact-mesh = Mesh
fact-links = Links
fact-fencing = Fencing
fact-interface = Interface
fact-address = Address
fact-key = Public key
fact-auto-remove = Auto removal
auto-remove-after = after { $time } of absence
fact-rotating = Key change
rotating-prepare = { $node }: to be made known (sfha mesh rotate-keys --node { $node })
rotating-commit = { $node }: known to all, not in use yet
rotating-cleanup = { $node }: changed, the old one not forgotten yet
fact-seen = seen from { $node } (sfhad { $version })
quorum-yes = yes, { $votes ->
        [one] { $votes } vote
       *[other] { $votes } votes
    } of { $expected } ({ $needed } needed)
quorum-device-votes = qdevice { $host }: votes for this side
quorum-device-silent = qdevice { $host }: does not vote for this side
quorum-device-gone = qdevice { $host }: does not answer this node
quorum-no = NO, { $votes ->
        [0] no vote
        [one] { $votes } vote
       *[other] { $votes } votes
    } of { $expected } ({ $needed } needed)
quorum-unknown = unknown
detection = { $time } (profile { $profile }), takeover { $delay } later
mesh-summary = { $connected ->
        [0] no peer
        [one] { $connected } peer
       *[other] { $connected } peers
    } of { $peers } connected
link-summary = { $name ->
        [mesh] mesh
        [lan] LAN
       *[other] { $name }
    } { $connected }/{ $peers }
mesh-up = The mesh is up.
mesh-down = The mesh is down.
mesh-about = { $backend }, MTU { $mtu }
mesh-address = { $address }, UDP port { $port }
fencing-off = off
fencing-on = on
fencing-by = on ({ $provider })

## What is done

done-init = Cluster { $cluster } made; { $node } is its first node.
done-join = { $node } is a member of { $cluster } (id { $id }, { $ip }), in { $time }.
done-revoked = Token { $id } revoked.
done-vip-added = VIP { $name } ({ $address }) added on every node.
done-vip-removed = VIP { $name } removed from every node.
done-service-added = Service { $name } ({ $unit }) is run by the cluster.
done-service-removed = Service { $name } taken out of the cluster.
done-rotated = { $node } has changed its key, in { $time }.
done-rotate-step = { $node }: { $step }, done in { $time }.
done-standby = { $node } is on standby.
done-standby-here = This node is on standby.
done-unstandby = { $node } is back in service.
done-unstandby-here = This node is back in service.
done-maintenance-on = Maintenance is on: sfha keeps its hands off.
done-maintenance-off = Maintenance is over: sfha is back in charge.
done-failover = { $count ->
        [0] Nothing to move to { $to }.
        [one] { $count } VIP moved to { $to } in { $time }: { $names }.
       *[other] { $count } VIPs moved to { $to } in { $time }: { $names }.
    }
done-announced = { $count ->
        [0] No VIP is served now: nothing to announce.
        [one] { $count } VIP announced to its neighbours by its node: { $names }.
       *[other] { $count } VIPs announced to their neighbours, each by its node: { $names }.
    }
token-about =
    Token { $id }, for one node{ $ip ->
        [none] .
       *[other] {" "}(address { $ip }).
    }
    Expires: { $expires }.
token-use =
    To run as root on the new node, which will ask for the token:

      sfha join
not-enabled = Warning: “systemctl enable sfha.service” failed; sfha will not start at the next boot.

done-node-removed = Node { $node } removed from the cluster.
done-left = This node is in no cluster any more; its keys and its configuration are deleted.
done-peer-added = Peer { $name } ({ $ip }) added on every node.
done-peer-removed = Peer { $name } removed from every node.
done-auto-remove = A node that is away for { $time } will be removed from the cluster.
done-auto-remove-off = No node that is away is removed by itself any more.
done-mesh-up = The mesh of this node is back.
done-mesh-down = The mesh of this node is down, until “sfha mesh up” or the next boot.
not-disabled = Warning: “systemctl disable sfha.service” failed; sfha will still start at boot.

## Questions

ask-yes-no = [y/N]
ask-token = Token:{" "}
ask-node-remove = Remove the node { $node } from the cluster, for good? If it cannot be reached, power it off first.
ask-leave = Take this node out of its cluster, for good? Its keys and its configuration will be deleted.
ask-leave-force = Delete the cluster of this node without the others' consent? They count it until “sfha node remove”.
ask-peer-remove = Remove { $name } from the mesh, on every node? A node of the cluster leaves it for good.
ask-mesh-down = Take the mesh of this node down? It loses its quorum, and its VIPs go elsewhere.
needs-yes = This command destroys something, and without a terminal nothing is asked.
needs-yes-next = To confirm: --yes
ask-vip-remove = Remove the VIP { $name } from every node? The address will stop answering.
ask-service-remove = Take the service { $name } out of the cluster? Its unit will be stopped.
cancelled = Cancelled, nothing was changed.

## What is wrong

error-prefix = Error:
later = The command “sfha { $command }” is not in this version yet.
later-next = “sfha help” lists the commands there are.
connection-lost = The daemon closed the connection before it answered; whether the request was carried out is not known.
connection-lost-next = See the state with “sfha status”, and the log with “sfha logs”.
protocol-mismatch = The daemon (version { $version }) speaks protocol { $theirs }, this command protocol { $ours }.
protocol-mismatch-next = Install the same version of sfha everywhere, then: systemctl restart sfha.service
no-terminal = The dashboard needs a terminal.
no-terminal-next = Without one: sfha status, or sfha status --json
file-unreadable = Cannot read { $path }: { $cause }.
interrupted-init = Interrupted: the cluster is not complete.
interrupted-init-next = Look at “sfha status” before trying again.
interrupted-join = Interrupted: this node has not finished joining the cluster.
interrupted-join-next = The same command can be run again; the token is good until it expires.
error-malformed = The daemon did not understand the request.
    .next = sfha and sfhad are probably of different versions: restart the daemon with “systemctl restart sfha.service”.
error-too-long = The request is longer than { $limit } bytes, the daemon's limit.
    .bare = The request is too long for the daemon.
error-too-many-connections = You have { $limit } connections to the daemon, as many as one user may have.
    .bare = You have as many connections to the daemon as one user may have.
    .next = Find the program that does not close its connections: ss -xp | grep sfhad.sock
error-unknown-method = The daemon does not know the request “{ $method }”.
    .bare = The daemon does not know this request.
    .next = It is older than this command: upgrade sfha, then “systemctl restart sfha.service”.
error-invalid-parameter = The value of “{ $parameter }”{ $value ->
        [no-value] {""}
       *[other] {" "}({ $value })
    } was refused: { $reason ->
        [no-value] it is not valid.
        [address] it is not an IP address.
        [cidr] it has to be an address and its prefix, like 10.100.0.1/24.
        [host-in-network] it has to be a host's address in its network, not that of the network.
        [not-a-host-address] it is not a host's address.
        [network-address] it is the address of the network or of its broadcast.
        [no-mesh] this cluster has no mesh.
        [not-reserved] this token is for a node with another address.
        [outside-network] it is not in the mesh network.
        [no-address] no address of this node is suitable; give one.
        [unknown] it could not be detected; give it.
        [expires] the time is too short or too long.
        [interface] it is not the name of an interface.
        [mesh-interface] an address of the mesh network goes on wg-sfha and on no other interface.
        [mtu] an MTU is from 1280 to 9000.
        [mtu-userspace] without WireGuard in the kernel, the MTU is 4000 at most.
        [links] the links are “mesh” or “mesh,lan”.
        [inside-mesh] it is in the mesh network.
        [lan-family] the other nodes have an address of the other family on this link, IPv4 or IPv6.
        [not-local] no interface of this node has it.
        [port] a port is from 1 to 65535.
        [profile] the profiles are fast, lan and wan.
        [name] a name has letters, digits and hyphens, 63 at most.
        [missing] it is missing.
        [key] that is no WireGuard key.
        [too-many] there are as many as there can be.
        [auto-remove] it takes a minute at least.
        [unit] it is not the name of a systemd unit.
        [unit-of-the-cluster] the cluster itself stands on that unit.
        [unknown-resource] no VIP and no service has this name.
        [unknown-node] no node has this name.
        [unknown-service] no service has this name.
        [unknown-check] no health check has this name.
        [on-off] it is “on” or “off”.
        [event] there is no event of this name.
        [order-circle] these resources wait for each other in a circle, none could come first.
        [colocation-circle] these resources follow each other in a circle, none would choose the node.
        [range] it has to be from { $least } to { $most }.
       *[other] { $reason }.
    }
    .bare = A value was refused.
error-not-permitted = { $user ->
        [no-value] This user may not do that.
       *[other] The user { $user } may not do that.
    }
    .next = Try again as root, for instance with sudo.
error-no-daemon = The daemon sfhad does not answer at { $socket }.
    .bare = The daemon sfhad does not answer.
    .next = If this node has a cluster: systemctl start sfha.service. If not: sfha init or sfha join.
error-timed-out = Timed out: { $what ->
        [membership] this node did not become a member of a quorate cluster
        [start] the daemon did not finish starting
        [leave] this node is not out of its cluster yet
        [mesh-api] the node that was asked did not answer
        [key] the mesh did not change to the new key
        [greeting] the daemon says nothing
        [subscribe] the daemon says nothing any more
       *[other] “{ $what }” was not done
    }{ $seconds ->
        [no-value] .
       *[other] {" "}within { $seconds } s.
    }
    .bare = Timed out.
    .next = Look at the log with “sfha logs”, then try again.
error-internal = “{ $what }” failed: { $cause }.
    .bare = The daemon failed.
    .next = The log may tell more: sfha logs
error-not-configured = This node is in no cluster yet.
    .next = Make one with “sfha init”, or join one with “sfha join”.
error-removed = This node was removed from the cluster { $cluster }, where it was { $node }.
    .bare = This node was removed from its cluster.
    .next = It can come back, with a token from “sfha mesh token”: sfha join
error-leaving = This node is leaving its cluster.
    .next = Try again in a few seconds.
error-already-configured = This node is in the cluster { $cluster } already, as { $node }.
    .bare = This node is in a cluster already, or on its way into one.
    .next = A node is in one cluster only; “sfha status” shows this one.
error-no-quorum = No quorum: { $votes ->
        [0] no vote
        [one] { $votes } vote
       *[other] { $votes } votes
    } present, { $needed } needed.
    .bare = No quorum.
    .next = Bring other nodes back; “sfha nodes” shows which are missing.
error-synchronising = The members are agreeing on their state after a change.
    .next = Try again in a few seconds.
error-maintenance = The cluster is in maintenance: nothing is moved.
    .next = To end it: sfha maintenance off
error-config-changed = Somebody has changed the configuration meanwhile{ $revision ->
        [no-value] {""}
       *[other] {" "}(revision { $revision })
    }.
    .next = Look at it again, then repeat.
error-already-so = { $what ->
        [maintenance] Maintenance is in that state already.
        [standby] This node is in that state already.
        [failover] { $name ->
            [no-value] Everything is there already.
           *[other] Everything is on { $name } already.
        }
        [member] This node is a member already.
        [auto-remove] That is the time already.
        [mesh-up] The mesh of this node is not down.
        [mesh-down] The mesh of this node is down already.
        [expired] This token has expired already.
        [prepared] The next key is known to all already.
        [committed] This node uses its new key already.
        [cleaned-up] There is no old key to forget.
        [rotating] This node's key is being changed already.
        [no-value] That is so already.
       *[other] That is so already: { $what }.
    }
error-not-found = { $kind ->
        [node] No node is called “{ $name }”.
        [mesh] This cluster has no mesh.
        [stonith] Fencing is not on in this cluster.
        [vip] No VIP is called “{ $name }”.
        [peer] No peer is called “{ $name }”.
        [token] No token has the id “{ $name }”.
        [service] No service is called “{ $name }”.
        [interface] No interface is called “{ $name }”.
       *[other] “{ $name }” was not found.
    }
    .bare = There is nothing of that name.
    .next = { $kind ->
        [node] “sfha nodes” lists the names.
        [stonith] To set it up: sfha stonith setup
        [vip] “sfha vip list” lists the names.
        [peer] “sfha mesh status” lists the names.
        [token] “sfha mesh tokens” lists the ids.
        [interface] “ip link” lists the interfaces of this node.
       *[other] “sfha status” shows what there is.
    }
error-already-exists = { $kind ->
        [node] A node is called “{ $name }” already
        [vip] The VIP “{ $name }” exists already
        [peer] A peer is called “{ $name }” already
        [key] The key given for “{ $name }” is in use already
       *[other] “{ $name }” is taken
    }{ $by ->
        [no-value] {""}
       *[other] {" "}({ $by })
    }.
    .bare = The name or the address is taken.
    .next = Choose another name or address.
error-no-candidate = { $name ->
        [no-value] No other node can take over.
       *[other] No other node can take over { $name }.
    }
    .next = Another node has to be online, with its daemon, and not on standby: sfha nodes
error-not-served = No node serves the VIP { $name } now.
    .bare = No node serves that VIP now.
    .next = Why: sfha vip list, sfha history
error-nodes-away = Nodes are missing: { $nodes }. A node that is away would not know the new key, and find nobody any more.
    .bare = Nodes are missing that would not know the new key.
    .next = Wait for them, or remove them from the cluster: sfha nodes
error-wrong-step = For { $node }, another step comes first: { $wanted }.
    .bare = Another step comes first.
    .next = sfha mesh rotate-keys --{ $wanted }; without an option the command does all that is left.
error-would-lose-quorum = Without { $name }, no quorum: { $votes ->
        [0] no vote would be left
        [one] { $votes } vote would be left
       *[other] { $votes } votes would be left
    }, { $needed } needed.
    .bare = Quorum would be lost.
    .next = Bring other nodes back first (“sfha nodes” shows which are missing).
error-last-node = { $name } is the only node of its cluster.
    .bare = It is the only node of its cluster.
    .next = To delete the cluster, on that node: sfha leave
error-daemon-missing = Corosync runs on { $name }, but not the daemon sfhad: this node would go on alone.
    .bare = Corosync runs on this node, but not the daemon sfhad: it would go on alone.
    .next = On that node: “systemctl start sfha” or “systemctl stop corosync”; then try again.
error-mesh-down = The mesh of this node was taken down by hand.
    .next = To bring it back: sfha mesh up
error-corosync-missing = Corosync is not installed ({ $program } was not found).
    .bare = Corosync is not installed.
    .next = apt install corosync
error-corosync-failed = Corosync did not start or did not stay up: { $cause }.
    .bare = Corosync did not start or did not stay up.
    .next = See why with “journalctl -u corosync”, then try again.
error-foreign-corosync-conf = { $path } is there already and sfha did not write it.
    .bare = A corosync.conf is there already and sfha did not write it.
    .next = If it is of no use any more, try again with --force: a copy is kept.
error-foreign-interface = An interface { $interface } is there already and is not sfha's.
    .bare = The interface of the mesh is there already and is not sfha's.
    .next = If it is of no use any more: ip link delete { $interface }
error-port-busy = UDP port { $port } is taken{ $by ->
        [no-value] {""}
       *[other] {" "}by { $by }
    }.
    .bare = The UDP port is taken.
    .next = Free it, or choose another one with --port.
error-network-overlap = The mesh network { $network } overlaps { $with }, which is on { $interface }.
    .bare = The mesh network overlaps a network of this node.
    .next = Choose another private network with --ip.
error-no-wireguard = No WireGuard interface can be made, neither by the kernel nor in userspace: { $cause }.
    .bare = No WireGuard interface can be made, neither by the kernel nor in userspace.
    .next = It takes the wireguard module, or else /dev/net/tun and CAP_NET_ADMIN (in a container, granted by its host).
error-token-damaged = This token does not read: { $reason ->
        [prefix] it does not begin with sfha-join://.
        [encoding] it is cut short or altered.
        [json] its content is altered.
        [checksum] its checksum is wrong.
        [field] the field { $field } is missing or not valid.
       *[other] it is damaged.
    }
    .bare = This token does not read.
    .next = Copy the whole of it, on one line, or make another one with “sfha mesh token”.
error-token-expired = This token has expired ({ $expired }).
    .bare = This token has expired.
    .next = Make another one with “sfha mesh token” on a node of the cluster, and check the clocks of both machines.
error-token-used = This token was used{ $node ->
        [no-value] {""}
       *[other] {" "}by the node { $node }
    } already.
    .next = A token is good for one node: make another one with “sfha mesh token”.
error-token-unknown = The cluster does not know this token: it was revoked, or it is too old.
    .next = Make another one with “sfha mesh token” on a node of the cluster.
error-token-foreign = The signature of this token is not of this cluster.
    .next = Check which cluster it comes from; make another one with “sfha mesh token”.
error-unreachable = No answer from { $endpoint }{ $kind ->
        [lan] {""}
       *[other] {" "}through the tunnel
    } within { $seconds } s.
    .bare = No answer from the other node.
    .next = Check that this { $kind ->
        [lan] TCP port is open (firewall)
       *[other] UDP port is open (firewall, NAT forwarding)
    } and that the other node is running.
error-no-address-left = No address is left in { $network }.
    .bare = No address is left in the mesh network.
    .next = “sfha mesh tokens” shows the reserved ones; revoke a token to free one.
error-no-lan-address = Corosync has a link on the LAN in this cluster, and this node has no address there.
    .next = Give it with --lan-ip.
error-too-many-nodes = { $open ->
        [no-value] The cluster has reached its limit of { $limit } nodes.
        [one] The cluster has { $nodes } of { $limit } nodes, and { $open } open token holds the last place: { $invites }.
       *[other] The cluster has { $nodes } of { $limit } nodes, and { $open } open tokens hold the places that are left: { $invites }.
    }
    .bare = The cluster has reached its limit of nodes.
    .next = { $open ->
        [no-value] Remove a node first: sfha node remove.
       *[other] A token that is of no more use can be revoked: sfha mesh revoke ID
    }
error-node-online = { $name } is a member of the cluster right now.
    .bare = That node is a member of the cluster right now.
    .next = See “sfha nodes”; a node that is online is relieved with “sfha failover” or “sfha standby”.
error-not-fenced = { $name } is away, and nothing shows that it is off.
    .bare = The node is away, and nothing shows that it is off.
    .next = With fencing on, a node is off before it is removed: sfha stonith fence { $name }; or, once you have seen that it is off: sfha stonith confirm { $name }
error-fence-unconfirmed = { $name } was switched off, but nothing shows that it is off.
    .bare = The node was switched off, but nothing shows that it is off.
    .next = Check that the configuration names the right machine; once it is switched off by hand: sfha stonith confirm { $name }
error-fence-unreachable = { $endpoint } does not answer (fencing by { $driver }): { $cause }.
    .bare = What switches nodes off does not answer.
    .next = Check address and network, then: sfha stonith test
error-fence-denied = { $driver } refuses access (HTTP { $status }).
    .bare = What switches nodes off refuses access.
    .next = Check the token and its privileges: docs/en/fencing.md lists them.
error-fence-certificate = { $reason ->
        [issuer] No trusted authority answers for the certificate of { $endpoint } ({ $driver }); its SHA-256 fingerprint: { $fingerprint }.
        [name] The certificate of { $endpoint } is not for that name ({ $driver }); its SHA-256 fingerprint: { $fingerprint }.
        [expired] The certificate of { $endpoint } has expired ({ $driver }); its SHA-256 fingerprint: { $fingerprint }.
       *[other] The certificate of { $endpoint } is not the expected one ({ $driver }). Fingerprint expected: { $expected }. Fingerprint found: { $fingerprint }.
    }
    .bare = The certificate of what switches nodes off is not the expected one.
    .next = Compare this fingerprint on the machine itself before you put it into config.yml.
error-fence-target = { $driver } does not know { $name } ({ $value }).
    .bare = What switches nodes off does not know this one.
    .next = Check stonith.nodes in config.yml, and that the token may see that machine.
error-fence-failed = { $driver } failed: { $cause }.
    .bare = What switches nodes off failed.
error-agent-missing = { $program } is not installed.
    .bare = This fence agent is not installed.
    .next = apt install fence-agents
error-agent-parameter = { $reason ->
        [missing] { $program } lacks the parameter “{ $parameter }”.
        [value] The value of the parameter “{ $parameter }” does not suit { $program }.
        [reserved] The parameter “{ $parameter }” of { $program } is set by sfha itself.
       *[unknown] { $program } does not know the parameter “{ $parameter }”.
    }
    .bare = A parameter of the fence agent is not right.
    .next = The possible parameters: { $program } -o metadata
error-watchdog-unusable = The watchdog { $path } cannot be used: { $cause }.
    .bare = The watchdog cannot be used.
    .next = Only one program can hold it: see “wdctl” and systemd's RuntimeWatchdogSec.
error-file-invalid = { $path } does not read{ $line ->
        [no-value] {""}
       *[other] {" "}(line { $line }{ $column ->
            [no-value] {""}
           *[other] , column { $column }
        })
    }: { $reason }.
    .bare = A file of sfha's does not read.
    .next = Correct the file and try again; it was not touched.{ $backup ->
        [no-value] {""}
       *[other] {" "}Its last good version: { $backup }
    }
error-file-mode = { $path } can be read by others (mode { $mode }, wanted { $wanted }).
    .bare = A secret file can be read by others.
    .next = chmod { $wanted } { $path }
error-file-write = { $node ->
        [no-value] Cannot write { $path }: { $cause }.
       *[other] The node { $node } could not write the state of the cluster.
    }
    .bare = A file could not be written.
    .next = Check space and permissions on that file system.
error-unknown = The daemon refused for a reason that this version does not know ({ $code }).
    .next = Upgrade sfha; the log tells more: sfha logs

## Help

about = sfha, simple high availability: WireGuard mesh, Corosync quorum, floating addresses.
after-help = Without a command: the dashboard on a terminal, elsewhere the same as “sfha status”.
heading-usage = Usage:
heading-commands = Commands
heading-arguments = Arguments
heading-options = Options
heading-global = Common options
value-command = COMMAND
value-name = NAME
value-node = NODE
value-path = PATH
value-endpoint = HOST[:PORT]
value-duration = DURATION
value-token = TOKEN
value-bytes = BYTES
value-args = ARGS
value-text = TEXT
value-unit = UNIT
value-nodes = NODE[,NODE…]
cmd-status = The cluster as this node sees it
cmd-dashboard = Full-screen dashboard
cmd-nodes = The nodes
cmd-resources = VIPs and services
cmd-health = Health checks
cmd-init = Make a cluster with this node as its first
cmd-join = Join a cluster with a token
cmd-mesh = The WireGuard mesh and its tokens
cmd-mesh-status = The interface and the peers
cmd-mesh-token = Make a token to add a node
cmd-mesh-tokens = List the tokens
cmd-mesh-rotate-keys = Change the WireGuard key of a node, or of all, without an interruption
cmd-mesh-revoke = Revoke a token
cmd-mesh-add-peer = Add a peer that is not a node of the cluster
cmd-mesh-remove-peer = Remove a peer, or a node
cmd-mesh-auto-remove = Remove nodes by themselves that are away for too long
cmd-mesh-up = Bring the mesh of this node back
cmd-mesh-down = Take mesh and Corosync down on this node
cmd-node = The nodes of the cluster
cmd-node-remove = Remove a node from the cluster, for good
cmd-leave = Take this node out of its cluster, for good
cmd-reload = Have the cluster do what config.yml of this node says
cmd-vip = Floating addresses
cmd-vip-list = List the VIPs
cmd-vip-add = Add a VIP
cmd-vip-remove = Remove a VIP
cmd-vip-announce = Announce VIPs to their neighbours again, where they are
cmd-service = The systemd services that the cluster runs
cmd-service-list = List services
cmd-service-add = Have the cluster run a service
cmd-service-remove = Take a service out of the cluster
cmd-standby = Put a node on standby: it holds nothing any more
cmd-unstandby = Put a node back in service
cmd-failover = Move all that the leader holds
cmd-maintenance = Suspend or resume everything sfha does
cmd-history = What has happened
cmd-events = What happens, as it happens
cmd-logs = The daemon's log
cmd-run = Become the daemon sfhad
cmd-completions = Completion script for a shell
cmd-version = The version
cmd-help = This help, or that of a command
arg-json = One JSON document on standard output
arg-lang = Language (fr by default; SFHA_LANG and the locale count too)
arg-socket = Socket of the daemon [default: { $path }]
arg-yes = Do not ask
arg-verbose = Technical details on standard error
arg-help = Print this help
arg-version = Print the version
arg-demo = An invented cluster, without daemon or privileges
arg-on-off = on: suspend; off: resume
arg-node = The node [default: this one]
arg-announce-names = VIPs to announce [default: all that are served]
arg-failover-names = VIPs and services to move, with what is tied to them [default: all]
arg-maintenance-until = Ends by itself after that time, such as { $example }
arg-to = The node that takes over [default: the best one]
arg-name = Name of this node [default: the host name]
arg-cluster = Name of the cluster
arg-mesh = Link the nodes by a WireGuard mesh
arg-init-ip = Address of this node in the mesh, with its prefix
arg-port = UDP port of WireGuard [default: 51820]
arg-init-endpoint = Where others reach this node [default: detected]
arg-join-endpoint = Where others reach this node [default: as the cluster sees it]
arg-mtu = MTU of wg-sfha [default: as the network allows, 1420 at most]
arg-links = Corosync's links; with lan, a second one on the LAN [default: mesh]
arg-init-lan-ip = Address of this node on the LAN link [default: detected]
arg-join-lan-ip = Address of this node on the LAN link, if there is one [default: detected]
arg-profile = Corosync's profile [default: lan]
arg-force = Replace a foreign corosync.conf (a copy is kept)
arg-token = The token; “-” or nothing: read from standard input
arg-token-file = Read the token from this file
arg-timeout = Deadline of the whole [default: 60s]
arg-expires = Life of the token [default: 1h]
arg-token-ip = Address of the node to come [default: the next free one]
arg-rotate-prepare = Only make the key and have every node know it
arg-rotate-commit = Only change to the key that was made known
arg-rotate-cleanup = Only have the old key forgotten
arg-rotate-all = Every node, one after the other
arg-token-id = Id of the token
arg-node-remove = The node
arg-leave-force = Without the other nodes' consent
arg-peer-name = Name of the peer
arg-peer-ip = Its address in the mesh
arg-peer-key = Its public key
arg-peer-endpoint = Where it can be reached [default: it is the one that calls]
arg-auto-remove = Time of absence, like 7d, or off
arg-vip = Name of the VIP
arg-vip-address = Address with its prefix
arg-vip-interface = Interface [default: that of the address's network]
arg-service = Name of the service
arg-service-unit = Its systemd unit, like nginx.service
arg-service-prefer = Preferred nodes, the best first
arg-service-critical = It moves to another node when it fails
arg-service-restarts = Restarts on its node before that [default: 0]
arg-service-start-timeout = Time to start [default: 30s]
arg-service-stop-timeout = Time to stop before it is killed [default: 20s]
arg-exit-code = One line and an exit status for monitoring: 0 all is well, 1 worth a look, 2 critical, 3 unknown
arg-history-limit = N events at most, the last ones ({ $count } by default)
arg-since = Only since that moment, or for that long, for example { $example }
arg-history-resource = Only what concerns this VIP, service, check or link
arg-history-node = Only what concerns this node
value-since = MOMENT
value-not-since = neither a moment nor a duration; for example { $example }
arg-follow = Go on with new lines
arg-run-args = Arguments of sfhad
arg-shell = bash, zsh, fish, elvish or powershell
arg-help-command = The command
value-not-cidr = an address with its prefix is expected, like { $example }
value-not-ip = an IP address is expected, like { $example }
value-not-port = a port is a number from 1 to 65535
value-not-mtu = an MTU is a number from 1280 to 9000
value-not-duration = a duration of a second or more is expected, like { $example }
value-not-auto-remove = a duration of a minute or more is expected, like { $example }, or off
usage-unknown-command = There is no command “{ $name }”.
usage-unknown-argument = There is no argument “{ $name }” here.
usage-missing = Missing: { $names }.
usage-missing-command = A command is missing.
usage-no-value = { $name } lacks its value.
usage-bad-value = “{ $value }” is not a value of { $name }.
usage-invalid = “{ $value }” does not suit { $name }: { $reason }.
usage-twice = { $name } is given more than once.
usage-conflict = { $name } does not go with { $other }.
usage-no-equals = { $name } expects its value after an equals sign.
usage-too-many = “{ $value }” is too much for { $name }.
usage-count = { $name } has the wrong number of values.
usage-utf8 = An argument is not UTF-8 text.
usage-other = The command line does not make sense.
usage-suggestion = Did you mean: { $text }?
usage-values = Possible values: { $values }
usage-usage = Usage: { $usage }
usage-help = “sfha help” lists the commands there are.

## Dashboard

view-overview = Cluster
view-logs = Log
view-help = Help
stale = Data from { $age } ago; trying again every two seconds.
head-maintenance = MAINTENANCE
key-concerns = alerts
concerns-title = Alerts
no-concerns = All is well.
link-demo = demonstration
link-connecting = connecting…
link-up = live
link-none = no connection
link-lost = connection lost { $age } ago
seen-from = seen from { $node }
head-quorum = quorum
head-votes = { $votes }/{ $expected } (min. { $needed })
head-leader = leader
head-detection = detection
head-detection-value = { $time } + { $delay } ({ $profile })
head-fencing = fencing
more-concerns = { $count ->
        [one] + { $count } more
       *[other] + { $count } more
    }
section-nodes = Nodes { $online }/{ $count }
section-vips = VIPs { $active }/{ $count }
section-services = Services { $count }
section-mesh = Mesh { $connected }/{ $count }
section-logs = The daemon's log
col-name = NAME
problem-no-interface = no interface
problem-address-refused = address refused
problem-netlink = netlink error
problem-duplicate-address = address taken
problem-start-failed = does not start
problem-start-timed-out = too slow to start
problem-no-such-unit = no such unit
problem-unit-masked = unit masked
problem-stop-failed = does not stop
problem-unit-failed = its unit has ended
problem-unhealthy = health check failing
col-holds = HOLDS
col-problem = PROBLEM
col-rx-rate = RX/S
col-tx-rate = TX/S
col-traffic = TRAFFIC
graph-rx = Received, { $whose }
graph-tx = Sent, { $whose }
graph-all = whole mesh
graph-state = { $now }, max. { $most }
waiting = Waiting for the cluster's state…
retrying = Trying again every two seconds; q to leave.
no-logs = Nothing yet.
logs-following = following
details-node = Node { $name }
details-vip = VIP { $name }
details-service = Service { $name }
details-peer = Peer { $name }
details-gone = It is gone.
yes = yes
no = no
ago = { $age } ago
traffic = { $total }, { $rate }
pair-state = State
pair-role = Role
pair-id = Corosync id
pair-address = Address
pair-member = Member
pair-daemon = Daemon
pair-standby = Standby
pair-holds = Holds
pair-interface = Interface
pair-holder = Node
pair-problem = Problem
pair-unit = Unit
pair-health = Health
pair-failures = Failures
pair-handshake = Handshake
pair-endpoint = Endpoint
pair-path = Path
pair-rtt = Latency
pair-loss = Loss
pair-mesh-address = Address
pair-keepalive = Keepalive
pair-rx = Received
pair-tx = Sent
pair-key = Key
confirm-yes-key = y
notice-no-link = No connection to the daemon.
notice-already-standby = { $node } is on standby already.
notice-not-standby = { $node } is not on standby.
help-keys = KEYS
help-marks = MARKS
help-good = as it should be
help-warn = on its way, or on purpose
help-bad = broken
key-up = up
key-down = down
key-open = details
key-standby = standby
key-unstandby = end standby
key-maintenance = maintenance
key-page-up = ten lines up
key-page-down = ten lines down
key-first = first
key-last = last
key-next-view = next view
key-overview = the cluster
key-logs = the log
key-help = help
key-back = back
key-redraw = redraw
key-suspend = suspend
key-quit = quit
key-confirm = confirm
key-cancel = cancel
key-close = close
key-name-up = Up
key-name-down = Down
key-name-enter = Enter
key-name-esc = Esc
key-name-page-up = PgUp
key-name-page-down = PgDn
key-name-home = Home
key-name-end = End

## The configuration file

config-valid = { $path } has no errors{ $warnings ->
        [0] .
        [one] , and { $warnings } warning.
       *[other] , and { $warnings } warnings.
    }
config-invalid = { $path }: { $count ->
        [one] { $count } error.
       *[other] { $count } errors.
    }
finding-head-error = error: { $message }
finding-head-warning = warning: { $message }
reload-nothing = Nothing to change: the cluster does what config.yml says already.
reload-would = Dry run: { $count ->
        [one] { $count } entry would change.
       *[other] { $count } entries would change.
    }
reload-done = { $count ->
        [one] { $count } entry changed on all nodes.
       *[other] { $count } entries changed on all nodes.
    }
change-kind = { $kind ->
        [vip] VIP
        [service] service
        [health-check] health check
        [constraint] constraint
        [failback] failback
        [qdevice] qdevice
        [priority] priority of
       *[other] { $kind }
    }
propagate-in-step = All nodes that are there have the same state.
propagate-behind = The nodes that are there do not have the same state, or are about to agree.
config-file-in-step = config.yml of this node says the same.
config-file-edited = config.yml of this node was edited: sfha reload --dry-run shows what would change.
config-file-invalid = config.yml of this node has errors: sfha config-check shows them.
concern-config = config.yml of { $node } has errors and is not kept up to date: sfha config-check, then sfha reload.
col-version = VERSION
col-hash = HASH
col-program = SFHA
cmd-config-check = Look for errors in config.yml, without a daemon
cmd-config-example = Print a whole config.yml with comments
cmd-propagate = Which version of the state every node has
arg-config-file = The file [default: /etc/sfha/config.yml]
arg-reload-dry-run = Show what would change, and change nothing
finding-syntax = This is not YAML: { $cause }.
    .next = Check indentation, quotes and brackets, here or just above.
finding-tab = This line is indented with a tab.
    .next = YAML is indented with spaces.
finding-alias = Anchors (&) and aliases (*) are not read.
    .next = Write the value in each place; a text that begins with & or * takes quotes.
finding-tag = Tags (!) are not read.
    .next = Leave it out; a text that begins with “!” takes quotes.
finding-second-document = A second document begins here.
    .next = Everything is in one: remove the line “---”.
finding-too-deep = This is nested more than { $limit } levels deep.
finding-too-large = The file is larger than { $limit } bytes.
finding-unknown-key = There is no key “{ $name }” here.
    .next = { $suggestion ->
        [no-value] Possible here: { $allowed }
       *[other] Did you mean “{ $suggestion }”?
    }
finding-duplicate-key = The key “{ $name }” is there already, on line { $first }.
    .next = Keep one of the two.
finding-missing-key = The key “{ $name }” is missing.
    .next = Add it, with its value.
finding-conflicting-keys = “{ $name }” and “{ $other }” say the same thing.
    .next = Keep one of the two.
finding-not-for-type = The key “{ $name }” does not go with the type “{ $kind }”.
    .next = Remove it, or change the type.
finding-wrong-type = This must be { $wanted ->
        [map] keys and their values
        [list] a list
        [number] a number
        [bool] true or false
       *[other] a text
    }.
    .next = It is { $found ->
        [map] keys and their values
        [list] a list
        [number] a number
        [bool] true or false
       *[other] a text
    }.
finding-not-allowed = “{ $value }” is not possible here.
    .next = { $suggestion ->
        [no-value] Possible here: { $allowed }
       *[other] Did you mean “{ $suggestion }”?
    }
finding-out-of-range = “{ $value }” is not a whole number from { $least } to { $most }.
finding-bad-duration = “{ $value }” is not a duration.
    .next = For example: 500ms, 20s, 5m, 1h 30m.
finding-duration-range = “{ $value }” is not between { $least } and { $most }.
finding-bad-name = “{ $value }” cannot be a name.
    .next = Letters, digits, “-”, “_” and “.”, at most 63, a letter or digit first.
finding-bad-address = “{ $value }” is not an IP address.
    .next = For example: 192.168.1.100, or 192.168.1.100/24.
finding-not-a-host = No machine can have the address { $value }.
    .next = Choose a free address of the network, neither the first nor the last.
finding-bad-interface = “{ $value }” is not the name of an interface.
    .next = “ip link” lists them.
finding-bad-unit = “{ $value }” is not a unit that the cluster can start.
    .next = For example: nginx.service.
finding-bad-url = “{ $value }” is not a URL of http or https, without a password.
    .next = For example: http://127.0.0.1:8080/health.
finding-bad-target = “{ $value }” is not HOST:PORT.
    .next = For example: 127.0.0.1:22, or [fd00::1]:22.
finding-bad-host = “{ $value }” is neither an address nor the name of a host.
    .next = For example: 192.168.1.9, or qnetd.example.com.
finding-bad-path = “{ $value }” is not a whole path.
    .next = It begins with “/”.
finding-bad-listen = “{ $value }” is neither ADDRESS:PORT nor a whole path.
    .next = For example: 127.0.0.1:9777, or /run/sfha/metrics.sock.
finding-empty-command = There is no program.
    .next = For example: [/usr/local/bin/test, argument].
finding-bad-fingerprint = “{ $value }” is not a SHA-256 fingerprint.
    .next = 64 hexadecimal digits, with or without colons, as `pvenode cert info` shows them.
finding-bad-agent = “{ $value }” is not the name of a fence agent.
    .next = For example: fence_ipmilan. The agents that are installed: ls /usr/sbin/fence_*
finding-shared-secret = { $name } puts a secret into what all nodes share.
    .next = Put it into the agent's options_file.
finding-duplicate-name = The name “{ $name }” is taken already, on line { $first }.
    .next = VIPs and services share their names: choose another one.
finding-duplicate-address = The address { $value } is another VIP's already, on line { $first }.
finding-duplicate-unit = The unit { $value } is another service's already, on line { $first }.
finding-duplicate-constraint = This constraint is there already, on line { $first }.
finding-unknown-resource = No VIP and no service is called “{ $name }”.
    .next = Did you mean “{ $suggestion }”?
finding-unknown-service = No service is called “{ $name }”.
    .next = Did you mean “{ $suggestion }”?
finding-unknown-node = The cluster has no node “{ $name }”.
    .next = Did you mean “{ $suggestion }”?
finding-tied-to-itself = “{ $name }” is tied to itself.
finding-cycle = These constraints go round in a circle: { $names }.
    .next = Remove one of them.
finding-too-many = { $what } has more than { $limit } entries.
finding-other-cluster = This file is for the cluster “{ $value }”, this node is in “{ $wanted }”.
    .next = A cluster keeps its name: put “{ $wanted }” back.
finding-other-node = This file is for the node “{ $value }”, this one is “{ $wanted }”.
    .next = A node keeps its name: put “{ $wanted }” back.
finding-ignored = “{ $name }” does nothing any more.
    .next = You can remove it.
finding-quorum-always = Without quorum nothing runs and nobody is fenced, whatever this key says.
    .next = You can remove it.
finding-unverified = The server's certificate is not checked: anybody can answer in its place.
    .next = Name its authority instead (ca_file).
finding-watchdog-short = A watchdog time-out of { $seconds } s: a daemon that merely died takes the machine with it.
    .next = At least { $least } s: systemd takes up to 5 s to notice, then starts the daemon anew.
finding-watchdog-before-stop = { $name } may take { $stop } s to stop, and the watchdog resets the machine after { $seconds } s.
    .next = While services stop after the daemon's death or the loss of quorum, nobody feeds it: at least { $least } s, or a shorter stop_timeout.
finding-secret-in-file = { $name } puts a secret into this file.
    .next = Put it into a file of its own, or keep this one from others: chmod 600.
finding-unknown = Something is wrong here that this version cannot name ({ $code }).
## Dashboard: views

view-mesh = Mesh
view-resources = Resources
view-nodes = Nodes
view-fencing = Fencing
view-events = Events
head-busy = { $title }: under way
search = Search:
search-found = { $shown }/{ $total }
list-filter = filter “{ $filter }”: { $shown }/{ $total }
list-sorted = sorted by { $by }
list-sorted-reverse = sorted by { $by }, reversed
sort-name = name
sort-state = state
sort-node = node
sort-id = id
sort-holds = load
sort-handshake = handshake
sort-received = received
sort-sent = sent
sort-rtt = latency
sort-loss = loss
no-match = Nothing matches the search.
no-mesh = This cluster has no mesh.
more-well = { $count ->
        [one] { $count } more, as it should be ({ $view })
       *[other] { $count } more, as they should be ({ $view })
    }
many-well = All as it should be ({ $view }).
holds-many = { $vips ->
        [one] { $vips } VIP
       *[other] { $vips } VIPs
    }, { $services ->
        [one] { $services } service
       *[other] { $services } services
    }
col-health = HEALTH
col-fencing = FENCING
section-checks = Health checks { $good }/{ $count }
section-constraints = Constraints { $count }
col-constraint = RULE
col-state-version = CONFIGURATION
details-constraint = Constraint
pair-bound = Resource
pair-rule = Rule
pair-prefers = Prefers
pair-load = Daemon's load
constraint-with = on the node of { $name }
constraint-after = after { $name }
constraint-kept = kept
constraint-broken = waiting
constraint-idle = not in use
state-short = { $epoch }.{ $version } { $hash }
load-cpu = { $share } of a core
load-since = started { $age } ago
why-preferred = { $node } is the preferred node.
why-prefers = Preferred nodes, in this order: { $nodes }.
why-with = Always on the same node as { $name }.
why-after = Only once { $name } is there.
why-followed = Always takes { $name } along.
section-here = This node in the mesh
section-matrix = Node to node
matrix-known = { $known ->
        [0] no path known
        [one] { $known } path known
       *[other] { $known } paths known
    } of { $pairs }
matrix-legend = ms from row to column; * relayed, { $bad } silent, { $unknown } unknown
section-fencing = Fencing
section-fencing-history = Lost nodes and fencing
fencing-pending = pending
fencing-none = nothing to do
fencing-off-means = A lost node is not powered off; its VIPs are taken over elsewhere after { $delay }.
fencing-off-next = Quorum and the addresses' lifetime guard against duplicates.
section-events = Events
section-chain = Chain of events
events-some = { $shown } of { $total }
events-warn = worrying and bad
events-bad = bad
key-only = kind
key-worse = severity
events-following = following
events-count = { $count ->
        [one] { $count } event
       *[other] { $count } events
    }
no-events = Nothing has happened.
section-targets = Modules
logs-looking = looking back, Esc to follow
logs-marked = “{ $filter }” highlighted
details-check = Check { $name }
pair-version = Version
pair-state-version = Configuration
state-version = { $epoch }.{ $version } ({ $hash })
pair-kind = Type
pair-service = Service
pair-on-nodes = By node
on-node = { $node }: { $state }
pair-error = Error
pair-backend = WireGuard
mesh-here-up = up
mesh-here-down = down
graph-rtt = Latency
graph-loss = Loss
format-short-seconds = { $n }s

## Dashboard: events

kind-cluster = cluster
kind-node = node
kind-vip = VIP
kind-service = service
kind-check = check
kind-mesh = mesh
kind-fencing = fencing
event-link-lost = Connection to the daemon lost.
event-link-back = Connection to the daemon restored.
event-node-added = { $node } has joined the cluster.
event-node-removed = { $node } was removed from the cluster.
event-node-lost = { $node } does not answer any more.
event-node-back = { $node } is back.
event-daemon-lost = The daemon of { $node } has gone silent.
event-daemon-back = The daemon of { $node } is back.
event-standby = { $node } was put on standby.
event-unstandby = { $node } was put back into service.
event-quorum = Quorum reached.
event-no-quorum = Quorum lost.
event-leader = { $node } is the new leader.
event-no-leader = There is no leader any more.
event-maintenance-on = Maintenance begun.
event-maintenance-off = Maintenance ended.
event-fencing = Fencing of { $node } requested.
event-fencing-begun = { $node } is being switched off by { $level }.
event-fencing-try-failed = A try to switch { $node } off by { $level } failed: { $why }.
event-fencing-failed = Nothing could switch { $node } off: { $why }.
event-fencing-held = Fencing of { $node } held back: { $why ->
        [too-soon] switched off a moment ago
        [maintenance] maintenance
        [no-driver] nothing can switch it off
       *[other] reason unknown
    }.
event-fencing-storm = Too many fencings in five minutes: that of { $node } waits.
event-fencing-confirmed = { $node } is taken to be off, on the word of { $by }.
event-fencing-handed-over = { $to } goes on with the fencing of { $node }.
event-fencing-over = Fencing of { $node } is over.
event-unfence-begun = { $node } is to be switched on, as { $by } wants it.
event-unfence-done = { $node } was switched on.
event-unfence-failed = { $node } could not be switched on: { $why }.
event-fencing-test-failed = { $level } could not switch { $node } off: { $why }.
event-fencing-test-good = { $level } could switch { $node } off again.
event-vip-added = VIP { $name } added.
event-vip-removed = VIP { $name } removed.
event-vip-problem = VIP { $name }: { $why }.
event-vip-active = VIP { $name } active on { $node }.
event-check-bad = Check { $name } fails.
event-check-good = Check { $name } is good again.
event-service-added = Service { $name } added.
event-service-removed = Service { $name } removed.
event-peer-stale = { $node } is silent in the mesh.
event-peer-connected = { $node } answers again in the mesh.
event-peer-path = Path to { $node }: { $path }.
event-peer-key = { $node } has a new key.
event-daemon-started = The daemon of { $node } has started.
event-corosync-lost = { $node } cannot reach Corosync any more.
event-corosync-back = { $node } reaches Corosync again.
event-config-changed = The cluster's configuration has changed (version { $version }).
event-vip-lost = { $node ->
        [no-value] VIP { $name } lost.
       *[other] VIP { $name } lost by { $node }.
    }
event-vip-moved = VIP { $name } moved from { $from } to { $to }.
event-vip-conflict = VIP { $name }: { $by } has the same address.
event-vip-conflict-over = VIP { $name }: nobody else has that address any more.
event-service-started = Service { $name } started on { $node }.
event-service-moved = Service { $name } moved from { $from } to { $to }.
event-service-stopped = { $node ->
        [no-value] Service { $name } stopped.
       *[other] Service { $name } stopped on { $node }.
    }
event-service-failed = { $node ->
        [no-value] Service { $name } failed.
       *[other] Service { $name } failed on { $node }.
    }
event-link-down = Link { $link } does not reach { $node } any more.
event-link-up = Link { $link } reaches { $node } again.
event-other = An event of a newer version.
happened-unserved = not served for { $time }
happened-stopped = stopped for { $time }
happened-after = after { $time }
no-history = Nothing has happened.
history-dropped = { $count ->
        [one] { $count } change came too fast and was not kept.
       *[other] { $count } changes came too fast and were not kept.
    }
events-lost = The connection to the daemon was lost; waiting for it to come back.
check-cluster = cluster { $cluster }: { $text }

## Dashboard: why

why = Why
why-holder = { $node } holds it; nothing is moved without a reason.
why-runs = It runs on { $node }; nothing is moved without a reason.
why-node = { $node } ({ $why })
why-not = Cannot take over: { $nodes }.
why-maintenance = Maintenance: nothing is moved.
why-problem = Last attempt: { $why }.
why-waits = Its node is lost; the next one waits until it is certain that the address was let go.
why-waits-fencing = Its node is lost; the next one waits until fencing has powered it off.
why-no-quorum = Without quorum, no node holds an address.
why-nobody = No node can take it.
why-releasing = Its node lets it go, then the next one takes it.
why-acquiring = The new node is taking it.
why-failed = The chosen node cannot put the address up.
why-conflict = Another machine on the network has this address already.
why-conflict-by = Another machine on the network, { $by }, has this address already.
why-unhealthy = Its health check fails.
why-elsewhere = Somebody else runs it on { $nodes }.
why-failures = { $count ->
        [one] { $count } failure counted.
       *[other] { $count } failures counted.
    }
why-fencing = Its fencing is not over.
why-offline = Corosync does not see it any more.
why-no-daemon = Corosync sees it, its daemon sfhad does not answer.
why-standby = Put on standby by an operator: it takes nothing on.
why-event = { $time }: { $text }

## Dashboard: wizards

menu-title = What to do?
menu-running = under way
menu-failed = failed
menu-begun = begun
stage-form = Questions
stage-review = Review
stage-running = Progress
stage-done = Outcome
wizard-plan = What will happen
wizard-running = Under way for { $age }. You can leave this screen, it goes on.
confirm-type = To confirm, type { $name }:
unconfigured-wizards = create a cluster or join one, step by step
wizard-init = Create a cluster
wizard-join = Join a cluster
wizard-token = Invite a node
wizard-peer-add = Add a peer outside the cluster
wizard-remove = Remove a node or peer
wizard-rotate = Change the keys
wizard-failover = Fail over
wizard-standby = Put a node on standby
wizard-unstandby = Put a node back into service
wizard-maintenance-on = Begin maintenance
wizard-maintenance-off = End maintenance
wizard-vip-add = Add a VIP
wizard-service-add = Add a service
wizard-service-remove = Remove a service
wizard-vip-remove = Remove a VIP
about-init = This node becomes the first of a new cluster; others join it later with a token.
about-join = This node enters an existing cluster, with a token made on one of its members.
about-token = A token lets one node into the cluster, once, before it expires.
about-peer-add = A machine that is not a node (an administrator's, a probe) enters the WireGuard mesh.
about-remove = The node or peer leaves the cluster and the mesh, for good.
about-rotate = Every node gets a new WireGuard key. Traffic is not interrupted; if the change is, it resumes where it was.
about-failover = VIPs and services move to one node: the one that you choose, or the best placed.
about-standby = The node lets go of what it holds and takes nothing on until it is put back. It keeps its vote.
about-unstandby = The node can hold VIPs and services again.
about-maintenance-on = sfha touches nothing on the whole cluster while you work.
about-maintenance-off = sfha takes over again.
about-vip-add = An address that the cluster keeps active on one node, and one only.
about-service-add = A systemd unit that the cluster runs on one node, and one only.
about-service-remove = The cluster does not look after this unit any more.
about-vip-remove = The address disappears from the cluster.
plan-init = The cluster { $cluster } is made with this node alone, and Corosync starts.
plan-init-mesh = The WireGuard mesh is made; this node has the address { $ip } in it.
plan-init-lan = No mesh: the nodes speak over the local network.
plan-enable = sfha will start with the machine.
plan-join = The tunnel comes up, the members admit this node, Corosync starts, the state arrives.
plan-token = A token is made; it expires in { $time }.
plan-token-secret = Whoever has the token can enter: pass it on over a safe channel only.
plan-peer-add = { $name } ({ $ip }) becomes known to all nodes; it has no vote and holds nothing.
plan-vip-add = { $address } comes up on a node as soon as all have recorded it.
plan-service-add = { $unit } starts on one node; the others stop it.
plan-service-unit = { $unit } has to be installed on every node, and not to start with the machine.
plan-service-remove = { $name } is stopped and starts nowhere again.
plan-vip-remove = { $address } stops answering, on all nodes.
plan-remove-node = { $node } loses its keys and its configuration; it returns with a new token only.
plan-remove-peer = { $name } reaches nobody in the mesh any more.
plan-remove-away = { $node } cannot be reached: power it off first, it may still hold addresses.
plan-remove-votes = { $count ->
        [one] { $count } vote is left
       *[other] { $count } votes are left
    }, { $needed } will be needed.
plan-rotate-one = { $node } changes its key.
plan-rotate-all = All nodes change their keys, one after the other; all have to be there.
plan-rotate-steps = For each: new key announced to all, change, old key forgotten.
plan-rotate-resumes = { $node } is in the middle of a change: it will be finished.
plan-asked = The simulator is working out what will move.
plan-unknown = What will move is not known: { $why }
plan-no-answer = the simulator does not answer.
plan-refused = It will be refused: { $why }
plan-nothing = Nothing moves.
plan-nothing-else = Nothing else moves.
plan-and-more = { $names } and { $more } more
plan-moves = { $count ->
        [one] { $count } resource moves from { $from } to { $to }
       *[other] { $count } resources move from { $from } to { $to }
    } within { $time } at most: { $names }.
plan-moves-many = { $count ->
        [one] { $count } resource changes its node
       *[other] { $count } resources change their nodes
    } within { $time } at most, to { $nodes }.
plan-more = { $count ->
        [one] { $count } other resource changes, too.
       *[other] { $count } other resources change, too.
    }
plan-placed = { $count ->
        [one] { $count } resource will be served by { $to }
       *[other] { $count } resources will be served by { $to }
    } within { $time } at most: { $names }.
plan-interrupted = { $count ->
        [one] { $count } resource is interrupted and taken up again on { $node }
       *[other] { $count } resources are interrupted and taken up again on { $node }
    } within { $time } at most: { $names }.
plan-homeless = Served nowhere any more: { $names }; { $why }
plan-leader = { $node } becomes the leader.
plan-no-quorum = There will be no quorum any more.
plan-standby = { $node } stays a member and takes nothing on.
plan-unstandby = { $node } can take things on again.
plan-maintenance-on = If a node fails, its addresses are not taken over.
plan-maintenance-off = What should have moved moves now.
field-cluster = Cluster name
field-node-name = Name of this node
field-mesh-cidr = Mesh address
field-endpoint = Reached at
field-profile = Profile
field-token = Token
field-expires = Expires in
field-mesh-ip = Address
field-name = Name
field-key = Public key
field-vip-cidr = Address
field-interface = Interface
field-unit = systemd unit
field-critical = If it fails
field-service = Service
critical-yes = moves to another node
critical-no = stays on its node
field-vip = VIP
field-to = To
field-node-or-peer = Node or peer
field-node = Node
hint-cluster = The same for all nodes, for instance prod.
hint-node-name = Empty: the host name.
hint-mesh-cidr = With the prefix of the mesh's private network. Empty: no mesh.
hint-init-endpoint = HOST or HOST:PORT where others reach this node. Empty: detected.
hint-join-endpoint = HOST or HOST:PORT. Empty: the address that the cluster sees.
hint-peer-endpoint = HOST or HOST:PORT where it is reached. Empty: it calls.
hint-profile = Arrows ← → to choose. Detection that is faster, or more tolerant.
hint-token = Begins with sfha-join://; it is not shown.
hint-expires = Like 15min, 1h or 2days.
hint-token-ip = Address of the new node in the mesh. Empty: the first free one.
hint-peer-name = A name that is not in use.
hint-peer-ip = Its address in the mesh network.
hint-key = Its WireGuard public key, 44 characters.
hint-vip-name = A short name, for instance web.
hint-vip-cidr = Address and prefix, like 192.0.2.80/24.
hint-service-name = A short name, for instance web.
hint-unit = Like nginx.service; without a suffix, .service is added.
hint-critical = Arrows ← → to choose. It is started again in place first.
hint-interface = Empty: the one whose network holds the address.
hint-choice = Arrows ← → to choose.
profile-lan = lan, local network
profile-fast = fast, quick detection
profile-wan = wan, slow or far network
choice-all-nodes = all nodes
choice-best = the best one
wrong-empty = This cannot be left empty.
wrong-name = Unaccented letters, digits, dot, hyphen; 63 at most, no hyphen first.
wrong-taken = It is taken.
wrong-network = This address is not in the network { $network }.
wrong-unit = The name of a unit has neither spaces nor slashes.
wrong-key = A WireGuard key is made of 44 characters of base64.
wrong-endpoint = A name or an address is expected, with or without a port.
wrong-token = A token begins with sfha-join://.
done-init-next = Next: invite another node (w, “Invite a node”).
token-on-new-node = On the new node, as root: sfha join, then paste this token:
token-copied = Copied to the clipboard if the terminal allows it (OSC 52).
token-line = Token { $id }, { $ip ->
        [no-value] { "" }
       *[other] address { $ip }, { "" }
    }expires { $expires }
token-used-by = Used by { $node }.
token-not-yet = not yet in the cluster
token-joiner = { $node }: { $state }
token-path = Path in the mesh: { $state }
token-has-expired = Expired unused.
token-waiting = Waiting for the new node… You can leave this screen.
phase-prepare = announced
phase-commit = in use
phase-cleanup = old one forgotten
notice-not-now = Nothing to do there for now.
notice-arrived = { $node } has entered with its token.
notice-copied = Token sent to the terminal's clipboard.
notice-failed-aside = { $title }: failed (w to look).

## Dashboard: keys

key-menu = act
key-search = search
key-sort = sort
key-reverse = reverse the order
key-pane = peer or matrix
key-token = invite
key-remove = remove
key-vip-add = add
key-failover = fail over
key-target = choose a module
key-level-less = less
key-level-more = more
key-focus = this module
key-targets = modules
key-off-targets = hide modules that are off
key-follow = follow the end
key-previous-view = previous view
key-mesh = the mesh
key-resources = the resources
key-nodes = the nodes
key-fencing = fencing
key-events = the events
key-theme = other colours
key-begin = begin
key-keep = keep
key-next = go on
key-field-before = field before
key-field-after = next field
key-leave = leave the screen
key-copy = copy
key-close-or-mend = close or correct
key-name-space = Space
key-name-left = Left
key-name-right = Right
key-name-back-tab = Shift-Tab
arg-theme = Colours of the dashboard: { $names } [default: what suits the terminal; SFHA_THEME counts, too]
value-theme = THEME

## sfha doctor

cmd-doctor = Look for what is wrong on this node, with or without a daemon
doctor-head = { $node ->
        [no-value] This node has no cluster
       *[other] { $node }
    }; sfha { $version }
doctor-well = All is well.
doctor-sum = { $errors ->
        [0] No error
        [one] { $errors } error
       *[other] { $errors } errors
    }, { $warnings ->
        [0] no warning
        [one] { $warnings } warning
       *[other] { $warnings } warnings
    }.
doctor-strange = The answer of sfhad doctor cannot be read.
doctor-strange-next = sfha and sfhad come from the same package: install it again.
doctor-fence-tested = { $count ->
        [one] { $count } way of switching a node off answers.
       *[other] { $count } ways of switching nodes off answer.
    }
doctor-fence-nobody = Nothing could switch { $node } off.
    .why = If it is lost, what it has moves only after “sfha stonith confirm”.
    .next = Give it a level: stonith.levels, or stonith.nodes.{ $node } in config.yml.
doctor-fence-fails = { $level } could not switch { $node } off from here: { $error }
    .why = The day it is lost, its fencing would fail in the same way.
    .next = Correct it, then: sfha stonith test { $node }
doctor-fence-certificate = The certificate of { $endpoint } is valid for { $days ->
        [one] { $days } more day.
       *[other] { $days } more days.
    }
doctor-fence-certificate-ends = { $days ->
        [0] The certificate of { $endpoint } ends today, or has ended.
        [one] The certificate of { $endpoint } ends in { $days } day.
       *[other] The certificate of { $endpoint } ends in { $days } days.
    }
    .why = Renewed, it has another fingerprint; where that is pinned, fencing fails from then on.
    .next = Renew it now, then put its new fingerprint into config.yml; ca_file spares you that.
doctor-fence-watchdog = Watchdog { $path }, time-out { $seconds } s.
doctor-fence-watchdog-missing = The watchdog { $path } is not there.
    .why = The other nodes do not count on it: a loss of this node then waits for another level, or for you.
    .next = Load its driver (softdog, i6300esb …), or name another device: stonith.watchdog.device
doctor-fence-watchdog-fails = The watchdog { $path } does not run: { $error }
    .why = The other nodes do not count on it: a loss of this node then waits for another level, or for you.
    .next = See who holds it: wdctl
doctor-fence-watchdog-short = The watchdog resets this machine after { $seconds } s, less than { $least } s.
    .why = A daemon that merely died takes the machine with it: systemd takes up to 5 s to notice.
    .next = stonith.watchdog.timeout: { $least } s or more
doctor-unknown = Something that this version of sfha does not know.
doctor-not-root = Without root's rights, keys, state and firewall cannot be seen.
    .next = sudo sfha doctor
doctor-corosync = Corosync { $version }.
doctor-corosync-missing = Corosync is not installed ({ $program }).
    .why = It tells which nodes are there, and whether they have quorum.
    .next = apt install corosync
doctor-corosync-old = Corosync { $version } is older than { $wanted }, which sfha is tried with.
    .why = Its knet links and the removal of nodes at run time have faults that were mended since.
    .next = Update the system.
doctor-kernel = Kernel { $version }; it tags the addresses of sfha.
doctor-kernel-untagged = Kernel { $version }; it has no tags for addresses, sfha keeps a list in /run/sfha.
doctor-wireguard-kernel = WireGuard runs in the kernel.
doctor-wireguard-userspace = The kernel has no WireGuard; sfha-wg does its work, more slowly.
doctor-wireguard-none = Neither WireGuard in the kernel nor /dev/net/tun for sfha-wg.
    .why = Without one of them this node cannot have a mesh.
    .next = Install a kernel that has WireGuard, or make /dev/net/tun visible (in a container: on its host).
doctor-files = { $count ->
        [one] { $count } file in its place, with the right mode.
       *[other] { $count } files in their places, with the right modes.
    }
doctor-file-open = { $path } has mode { $mode }.
    .why = Others than root can read a secret in it or write to it; the daemon refuses a secret that others can read.
    .next = chmod { $wanted } { $path }
doctor-file-owner = { $path } belongs to user { $user }, not to root.
    .why = That account can change what this node does.
    .next = chown root:root { $path }
doctor-file-missing = { $path } is not there.
    .why = Without it this node does not find its cluster at the next start.
    .next = sfha restore puts it back from a backup; otherwise sfha leave --force, then sfha join.
doctor-config = { $path } reads without a fault.
doctor-config-faulty = { $path } has { $count ->
        [one] { $count } error.
       *[other] { $count } errors.
    }
    .why = What it asks for is not applied, and it is no longer kept up to date.
    .next = sfha config-check shows them.
doctor-foreign-corosync-conf = { $path } was not written by sfha.
    .why = Another Corosync cluster is configured here; sfha does not replace it without --force.
    .next = See who uses it before sfha init --force or sfha join --force.
doctor-disk = { $path }: { $mebibytes } MiB free.
doctor-disk-tight = { $path }: only { $mebibytes } MiB left.
    .why = A node that cannot write its state any more refuses changes.
    .next = Make room, for example: journalctl --vacuum-size=200M
doctor-disk-full = { $path }: only { $mebibytes } MiB left.
    .why = The state cannot be written: this node no longer follows the cluster's changes.
    .next = Make room at once, for example: journalctl --vacuum-size=200M
doctor-disk-read-only = { $path } is read-only.
    .why = The state cannot be written; a disk that turns read-only is often one that dies.
    .next = dmesg tells why; then mount -o remount,rw, or replace the disk.
doctor-units = The units of systemd are as they should be.
doctor-no-systemd = systemd does not answer: { $cause }.
    .next = systemctl status dbus
doctor-unit-failed = { $unit } has failed.
    .why = systemd has given up starting it.
    .next = journalctl -u { $unit } -n 50 tells why; then systemctl restart { $unit }
doctor-unit-stopped = { $unit } does not run.
    .why = This node does not count in the cluster and holds nothing.
    .next = systemctl start sfha (the daemon starts Corosync by itself), then sfha logs
doctor-not-at-boot = sfha.service does not start with the machine.
    .why = After a reboot this node would not come back into the cluster.
    .next = systemctl enable sfha
doctor-corosync-at-boot = corosync.service starts with the machine.
    .why = Its address exists only once the mesh is up: it would fail; the daemon starts it in time.
    .next = systemctl disable corosync
doctor-foreign-manager = { $unit } runs, too.
    .why = Two managers of addresses or of clusters on one machine contradict each other.
    .next = If it has the same addresses or services: systemctl disable --now { $unit } (see also sfha import).
doctor-networkd-keeps = systemd-networkd keeps addresses that are not its own ({ $path }).
doctor-networkd-drops = systemd-networkd removes addresses that are not its own.
    .why = Whenever it restarts, a VIP that is held here is missing until sfha puts it back a moment later.
    .next = In the interface's .network file, section [Network]: KeepConfiguration=static
doctor-unconfigured = No cluster yet: sfha init makes one, sfha join joins one.
doctor-daemon = The daemon answers, version { $version }.
doctor-daemon-silent = The daemon does not answer on { $socket }.
    .why = Without it this node holds neither VIPs nor services.
    .next = systemctl start sfha, then sfha logs
doctor-daemon-old = The daemon that runs is version { $running }, the programs installed are { $version }.
    .why = An upgrade does not restart the daemon.
    .next = When it suits you: systemctl try-restart sfha
doctor-quorum = Quorum: { $votes } votes, { $needed } needed.
doctor-no-quorum = No quorum: { $votes } votes, { $needed } needed.
    .why = Without a majority this node holds nothing and changes nothing.
    .next = Start the nodes that are away, or mend the network between them: sfha nodes, sfha mesh status
doctor-port-ours = Port { $port } ({ $protocol }) is open, by sfha.
doctor-port-closed = Nobody listens on port { $port } ({ $protocol }).
    .why = The other nodes speak to this port.
    .next = systemctl restart sfha, then sfha logs
doctor-port-taken = Port { $port } ({ $protocol }) is taken.
    .why = sfha will need it.
    .next = ss -lnup or ss -lntp tells by whom; sfha init --port chooses another one for the mesh.
doctor-firewall-open = No nftables firewall closes the way in.
doctor-firewall-mentions = The firewall ({ $chain }) closes the way in, and a rule speaks of port { $port } ({ $protocol }).
doctor-firewall-drops = The firewall ({ $chain }) closes the way in, and no rule speaks of port { $port }.
    .why = The other nodes cannot call this one.
    .next = Open { $port }/{ $protocol }; inside the tunnel, let everything in that comes from wg-sfha.
doctor-mtu = Packets of the mesh ({ $mtu } bytes) pass whole (at least { $least } on the paths).
doctor-mtu-tight = The path to { $node } carries only { $path_mtu } bytes, too few for a mesh of { $mtu }.
    .why = Large packets are fragmented or lost: Corosync synchronises badly, transfers hang.
    .next = On all nodes, put { $fitting } on the line mtu of /etc/sfha/mesh.yml, then systemctl restart sfha
doctor-endpoint-own = The others reach this node at { $endpoint }, an address of its own.
doctor-endpoint-nat = The others reach this node at { $endpoint }, a router's address (NAT), which must forward UDP port { $port } to here.
doctor-endpoint-none = This node has no address to be called at: it calls the others.
doctor-paths-direct = { $count ->
        [one] { $count } node is reached directly.
       *[other] { $count } nodes are reached directly.
    }
doctor-path-relayed = { $node } is reached only over { $via }.
    .why = No direct path answers: a firewall, NAT on both sides, or a wrong address.
    .next = Open or forward the UDP port on one of the two nodes; sfha mesh status tells what is missing.
doctor-path-lost = { $node } is not reached.
    .why = Off, cut off, or out of reach at every address that is known.
    .next = sfha mesh status; on { $node }: sfha doctor
doctor-latency = The network is quick enough: a round trip of { $milliseconds } ms at worst, for a token of { $token } ms.
doctor-latency-high = A round trip of { $milliseconds } ms to { $node }: much for a token of { $token } ms (profile { $profile }).
    .why = A hitch of the network can look like the loss of a node.
    .next = A cluster between sites is made with sfha init --profile wan.
doctor-loss = { $percent }% of the packets to { $node } are lost.
    .why = Corosync repeats them, and in the end takes the node for lost.
    .next = Look for the cause below the tunnel: a full link, MTU, a cable, an overloaded host.
doctor-clock = The clock is kept right.
doctor-clock-alone = Nobody keeps the clock right.
    .why = WireGuard refuses a node whose time went back; tokens, maintenance and logs depend on the time.
    .next = apt install chrony, or timedatectl set-ntp true
doctor-clocks-agree = { $count ->
        [one] { $count } other node has the same time.
       *[other] { $count } other nodes have the same time.
    }
doctor-clock-skew = The clock of { $node } differs from the one here: { $seconds } s.
    .why = Tokens expire too early or too late, and logs cannot be compared any more.
    .next = On both nodes: timedatectl

## Fencing

fencing-suspected = lost
fencing-delayed = off soon
fencing-fencing = switching off
fencing-verifying = verifying
fencing-fenced = harmless
fencing-failed = failed
fencing-unknown = unknown
held-storm = held back: too many fencings in five minutes
held-too-soon = held back: fenced a moment ago
held-maintenance = held back: maintenance is on
held-no-driver = held back: nothing knows how to switch it off
held-unknown = held back
power-on = on
power-off = off
power-unknown = cannot tell
cause-lost = lost from sight
cause-unseen = not seen since this side has quorum
cause-requested = asked for
cause-stop-failed = something on it does not stop
cause-unknown = reason unknown
proof-off = seen off by { $level }
proof-answer = off by the word of { $level }
proof-confirmed = confirmed by hand
proof-watchdog = its watchdog must have reset it
proof-unknown = proof unknown
fencing-try = by { $level }, try { $attempt }
fencing-by-whom = by { $by }
fencing-attempt = try { $attempt }
fencing-why = “{ $why }”
fencing-next = next step in { $time }
fencing-watchdog = its watchdog acts within { $time }
fencing-switching-on = being switched on
fencing-excused = left in order
happened-suspected = to be switched off
happened-held = held back
happened-begun = switching off begun
happened-try-failed = a try failed
happened-failed = all levels failed
happened-handed-over = gone on with by { $actor }
happened-fenced = harmless
happened-returned = a member again
happened-switch-on = to be switched on
happened-switched-on = switched on
happened-switch-on-failed = could not be switched on
storm = { $begun } of { $limit } in five minutes
watchdog-runs = { $device }, time-out { $time }
watchdog-resets = { $device } is fed no more: this node resets itself in { $time }
watchdog-rests = { $device } does not run
fencing-alert = { $node } could not be switched off by { $level }, as tried by { $by }: { $why }
stonith-on = Fencing is on.
stonith-off = Fencing is off.
stonith-off-next = To set it up: sfha stonith setup
stonith-dry-run = Fencing is a dry run: everything is decided, nothing is switched off.
stonith-test-failed = { $count ->
    [one] { $count } test failed.
   *[other] { $count } tests failed.
}
setup-failed-next = Nothing was written. Correct it and try again, or write it all the same: --force
stonith-test-failed-next = Correct it, then: sfha stonith test
stonith-nothing-to-test = Nothing to test: no driver is configured.
no-stonith-history = No fencing so far.
fact-levels = Levels
fact-storm = Storm
fact-watchdog = Watchdog
col-levels = LEVELS
col-level = LEVEL
col-detail = DETAIL
col-when = WHEN
col-what = WHAT
plan = { $node } would be switched off by { $actor }, with { $levels }, after { $delay }.
plan-nobody = Nothing and nobody could switch { $node } off.
plan-held = { $why }.
done-fence = { $node } is harmless ({ $how }).
done-unfence = { $node } is going to be switched on; see `sfha stonith status`.
done-stonith-confirm = { $node } is held for switched off; what it had is taken over now.
ask-fence = Switch the node { $node } off, the hard way? What runs there is lost.
ask-unfence = Switch the node { $node } on?
ask-stonith-confirm =
    You answer for { $node } being off. If it still lives, an address may end up on two machines,
    and data may be damaged. Confirm it only if you have seen with your own eyes that it is off.
ask-again = That will not do.
ask-typed = To confirm, type the node's name ({ $name }):
cmd-stonith = Fencing: switch off a node that cannot be trusted any more
cmd-stonith-status = Show how fencing stands
cmd-stonith-fence = Switch a node off, and make sure that it is
cmd-stonith-unfence = Switch a node on
cmd-stonith-confirm = Answer for a node being off (only after you have seen it)
cmd-stonith-history = What happened
cmd-stonith-test = Try the drivers out, without switching anything
cmd-stonith-setup = Set fencing up: questions, a test that switches nothing, writing
arg-stonith-node = Name of the node
arg-stonith-reason = Why you are sure: kept in the history
arg-stonith-dry-run = Only tell what would be done
arg-stonith-limit = At most so many lines, the last ones
arg-setup-provider = proxmox, webhook, watchdog, or an agent such as fence_ipmilan
arg-setup-url = API of Proxmox (may be given several times), or URL of the webhook that switches off
arg-setup-unfence-url = URL of the webhook that switches on
arg-setup-status-url = URL of the webhook that tells whether a node is on
arg-setup-token-id = Token of Proxmox, such as { $example }
arg-setup-secret-file = File with the secret (of the token, headers, parameters); “-”: standard input
arg-setup-fingerprint = SHA-256 fingerprint of the certificate (empty: the one it shows, to compare):
arg-setup-ca-file = File with the authorities that are trusted
arg-setup-option = Parameter of the agent, without secrets
arg-setup-node = A node: qemu/101 or lxc/101 with Proxmox, its outlet or its parameters with an agent
arg-setup-add = Goes behind the levels that are there instead of replacing them
arg-setup-force = Write although the test fails
arg-setup-dry-run = Only test, write nothing
setup-missing = { $option } is missing.
setup-next = On a terminal, `sfha stonith setup` asks for what is missing; see also `sfha stonith setup --help`.
setup-providers = proxmox: a Proxmox VE cluster. webhook: a URL. fence_…: an agent. watchdog: the node resets itself.
setup-provider = With what are nodes switched off?
setup-proxmox-url = URL of Proxmox's API (https://HOST:8006):
setup-token-id = Token ({ $example }):
setup-fingerprint = SHA-256 fingerprint of the certificate (empty: the system's authorities):
setup-fence-url = URL that switches off (the node is { $node } in it):
setup-status-url = URL that tells whether it is on (empty: none):
setup-options = Parameters of the agent, NAME=VALUE, separated by spaces:
setup-guest = Guest of { $node } (qemu/ID or lxc/ID; empty: none):
setup-plug = Outlet or parameters of { $node } (empty: none):
setup-secret = Secret (empty: it is in its file already):
setup-certificate =
    No authority that this system knows has signed the certificate of { $endpoint }.
    Its SHA-256 fingerprint:
      { $fingerprint }
    On that host, “pvenode cert info” shows the true one (pve-ssl.pem). Is it the same?
setup-plan = What will be written:
setup-plan-level = Nodes are switched off by: { $levels }
setup-plan-node = { $node }: { $how }
setup-plan-trust = Certificate: { $trust ->
        [fingerprint] the one with this fingerprint
        [authority] signed by the given authority
       *[system] signed by an authority of this system
    }
setup-plan-secret = Secret: { $path } (mode 600), on this node
setup-write = Write these settings for the whole cluster?
setup-tested = Tested, nothing was written.
setup-done = Fencing is set up on all nodes.
setup-other-nodes = The secret is on this node only: copy { $path } (mode 600) to each of the others, then `sfha stonith test` on each.
concern-fencing-failed = Fencing is not possible: { $names }. Switch off by hand, then: sfha stonith confirm NODE
concern-fencing-storm = Too many fencings in five minutes: the next ones wait.
concern-fencing-alert = Fencing of { $names } would not work; see `sfha stonith status`.
concern-fencing-dry-run = Fencing is a dry run: nothing would be switched off.
concern-watchdog = This node resets itself in { $time }: its watchdog is fed no more.
wizard-setup = Set up fencing
about-setup = What switches a lost node off? Everything is tried, switching nothing, before it is written.
provider-proxmox = Proxmox VE
provider-webhook = Webhook (a URL)
provider-agent = Agent fence_…
provider-watchdog = Watchdog alone
field-provider = Means
field-api-url = API URL
field-token-id = Token
field-secret = Secret
field-fingerprint = Fingerprint
field-fence-url = URL to switch off
field-status-url = URL of the state
field-unfence-url = URL to switch on
field-program = Agent
field-options = Parameters
hint-api-url = https://HOST:8006; not a VIP of this cluster.
hint-token-id = USER@REALM!NAME, like { $example }.
hint-secret = The token's. Empty: it is in its file already.
hint-secret-headers = A secret header: its name, a colon, its value. Empty: none.
hint-secret-options = Secret parameters, “name=value”. Empty: none.
hint-fingerprint = The certificate's SHA-256. Empty: the one it shows, to compare.
hint-fingerprint-found = No authority answers for the certificate of { $endpoint }. Compare it with “pvenode cert info” on that host, then go on: { $fingerprint }
hint-fence-url = { $node } in it stands for the node's name.
hint-status-url = Answers “on” or “off”. Without it nothing shows that a node is off.
hint-unfence-url = Optional.
hint-program = A program of fence-agents, like fence_ipmilan.
hint-options = NAME=VALUE, separated by blanks, no secrets.
hint-guest = This node's machine: qemu/101 or lxc/101.
hint-plug = This node's outlet, or NAME=VALUE.
wrong-https = The API is reached with https://
wrong-url = A URL begins with https:// or http://
wrong-token-id = A token is written like { $example }.
wrong-fingerprint = A SHA-256 fingerprint has 64 hexadecimal digits.
wrong-program = An agent's name begins with fence_.
wrong-guest = qemu/ or lxc/, then the number of the machine.
plan-setup-test = { $node } answers by { $level }: { $power }.
plan-setup = From then on nothing moves before a lost node is off.
setup-failed = { $node } by { $level }: { $why }
setup-mend = Nothing was written. Enter goes back to the answers; to write it all the same: sfha stonith setup --force
key-setup = set up
wizard-fence = Switch a node off
wizard-unfence = Switch a node on
wizard-confirm = Answer for a node being off
about-fence = Fencing cuts the node's power, then makes sure that it is off.
about-unfence = Switches a node on that was switched off.
about-confirm = When nothing could switch a node off, or make sure of it: you have done it by hand.
plan-fence = { $node } will be switched off the hard way ({ $levels }); what runs there is lost.
plan-unfence = { $node } will be switched on ({ $levels }).
plan-confirm-seen = Only if you have seen with your own eyes that { $node } is off.
plan-confirm-twice = If it still lives, an address will be on two machines.
plan-confirm = What { $node } had is taken over at once.
done-fence-begun = { $node } is going to be switched off; the view Fencing shows how it goes on.
key-fence = switch off
key-confirm-off = confirm off
key-unfence = switch on
fencing-node = { $node }: { $why }

## sfha report, backup, restore, import

cmd-report = Gather what helps to understand a fault, without secrets
cmd-backup = Keep this node and its cluster in a file, keys included
cmd-restore = Put this node back from a backup
cmd-import = Take over another program's configuration
arg-report-file = The file to write [default: sfha-report-DATE.tar.gz]
arg-backup-file = The file to write; it must not be there
arg-restore-file = The backup
arg-restore-alone = The other nodes are lost: go on alone, as a cluster of one
arg-import-program = Of which program
arg-import-file = Its configuration, for example /etc/keepalived/keepalived.conf
done-report = Written: { $path }. Read it before you send it: it has the addresses and names of your machines.
done-backup = Kept in { $path }: { $node }, of the cluster { $cluster }.
done-backup-left-out = Not in it, since they are elsewhere than in /etc/sfha: { $paths }. Keep them yourself.
done-backup-secret = This file holds the secret keys of the node and of the cluster. Whoever has it can enter the cluster: keep it encrypted, elsewhere than on this node.
ask-restore = Replace what this node knows of its cluster by { $path }?
ask-restore-alone = Make this node a cluster by itself, from { $path }? If another node still runs, the VIPs will be taken twice.
done-restored = { $node } is back in the cluster { $cluster }, and the daemon is started.
done-restored-next = It waits for the other nodes; sfha status tells when it has quorum.
done-restored-alone = It is alone: sfha mesh token, then sfha join on each machine that comes back, after the old cluster was deleted there (sfha leave --force).
done-imported = { $vips ->
        [one] { $vips } VIP
       *[other] { $vips } VIPs
    } and { $checks ->
        [one] { $checks } check
       *[other] { $checks } checks
    } taken over. Put these sections into /etc/sfha/config.yml, then sfha config-check and sfha reload.
done-imported-left = Not taken over:
import-not-needed = sfha does that by itself, or in another way.
import-priority = On each node: node.priority in config.yml.
import-failback = For the whole cluster: cluster.failback to false in config.yml.
import-load-balancing = sfha balances no load; keep IPVS or HAProxy, as a service of the cluster.
import-routes = Routes and rules do not move with a VIP.
import-hook = What has to run when the state changes becomes a service of the cluster.
import-weight = Checks have no weights: one that fails makes what the node holds go elsewhere.
import-include = Import that file, too.
import-script-path = The program's whole path is needed.
import-unknown-script = That script is not described in this file.
import-invalid = The value does not fit a config.yml.
import-duplicate = That address, or that name, is there already.
import-too-many = More than a cluster can have.
import-unknown = Not known here.

## sfha simulate

cmd-simulate = Tell what events would do, without changing anything
value-event = EVENT
arg-events = One or more, one after the other, each once all is calm
simulate-events =
    Events:
      node-lost:NODE        the node goes off, or is gone
      node-back:NODE        it is back, with its daemon
      daemon-dead:NODE      its daemon dies and stays dead
      quorum-lost           no node has quorum any more
      standby:NODE, unstandby:NODE
      failover[:NODE]       everything moves
      maintenance:on|off
      service-failed:NAME   the unit of the service dies
      check-failed:NAME     the check fails; without a service, on the leader
      partition:A,B/C       A and B on one side, C on the other
      vip-add:NAME=IP/PREFIX, vip-remove:NAME
      service-add:NAME=UNIT, service-remove:NAME
      node-remove:NODE      it is taken out for good
      fence:NODE            it is switched off, where there is fencing
      unfence:NODE          it is switched on again
      confirm:NODE          an operator answers for its being off
simulate-seen = Simulation as seen from { $node }: nothing is changed. Times are at most.
simulate-standing = Leader { $leader }; quorum on { $nodes }.
simulate-no-quorum = No node has quorum.
simulate-nothing = Nothing moves.
simulate-refused = Refused: { $why }
simulate-unsettled = After half an hour it was still not calm.
simulate-col-from = FROM
simulate-col-to = TO
simulate-col-within = WITHIN
simulate-because = { $name }: { $why }
simulate-two-holders = { $name }: on two nodes at once, for want of fencing.
simulate-why-removed = it is removed.
simulate-why-no-quorum = without quorum nobody has it.
simulate-why-maintenance = in maintenance nothing is taken over.
simulate-why-no-candidate = no node can take it.
simulate-why-stuck = the node that has it cannot stop it.
simulate-why-not-harmless = its node is lost and not known to be harmless.
simulate-why-waits = waits for { $first }.
simulate-wait-detection = detection { $time }
simulate-wait-takeover = waiting for the lost node { $time }
simulate-wait-fencing = fencing { $time }
simulate-wait-stop = stop { $time }
simulate-wait-start = start { $time }
simulate-wait-order = order { $time }
simulate-wait-agreement = agreement { $time }
