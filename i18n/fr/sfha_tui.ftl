# Textes de sfha. Le français est la source : ajouter ici d'abord, puis dans en/.
# Espace insécable (U+00A0) avant : ; ! ? et à l'intérieur des guillemets ; un test y veille.
# Zéro est « one » en français : toujours { $count } dans [one], et [0] là où c'est plus naturel.

## Nombres, tailles, durées

format-percent = { $n } %
format-millis = { $n } ms
format-seconds = { $n } s
format-age-s = { $s } s
format-age-m = { $m } min { $s }
format-age-h = { $h } h { $m }
format-age-d = { $d } j { $h } h
format-b = { $n } o
format-kb = { $n } ko
format-mb = { $n } Mo
format-gb = { $n } Go
format-tb = { $n } To
format-b-s = { $n } o/s
format-kb-s = { $n } ko/s
format-mb-s = { $n } Mo/s
format-gb-s = { $n } Go/s
format-date-time = { $date } { $time }
format-in = { $at }, dans { $left }
format-past = { $at }, dépassé

## États

node-online = en ligne
node-offline = hors ligne
node-no-daemon = sans démon
node-standby = en veille
role-leader = leader
role-here = ce nœud
vip-active = active
vip-acquiring = en prise
vip-releasing = en retrait
vip-waiting = en attente
vip-stopped = arrêtée
vip-failed = en échec
vip-conflict = conflit
vip-unknown = inconnu
peer-connected = connecté
peer-stale = muet
peer-never = jamais vu
peer-foreign = { $name } (hors cluster)
service-active = actif
service-starting = démarre
service-stopping = s'arrête
service-stopped = arrêté
service-failed = en échec
service-unknown = inconnu
service-elsewhere = tourne aussi sur { $names }
health-good = bon
health-bad = mauvais
health-none = pas encore
probe-http = HTTP
probe-tcp = TCP
probe-systemd = systemd
probe-program = programme
check-timed-out = pas de réponse à temps
check-refused = connexion refusée
check-unreachable = injoignable
check-name = nom introuvable
check-target = cible mal écrite, HÔTE:PORT est attendu
check-url = URL mal écrite
check-answer = réponse incompréhensible
check-certificate = certificat refusé
check-ca-file = fichier d'autorités illisible
check-body = texte attendu absent de la réponse
check-status = réponse HTTP { $status }
check-exit = code de retour { $code }
check-killed = programme tué
check-program = programme impossible à lancer
check-systemd = systemd ne répond pas
check-unit = unité { $state }
token-open = utilisable
token-redeemed = utilisé
token-expired = expiré
phase-unconfigured = Ce nœud ne fait partie d'aucun cluster.
phase-disconnected = Corosync est injoignable sur ce nœud.
phase-synchronising = Les membres accordent leur état.
phase-inquorate = Pas de quorum.
phase-operational = En service.
phase-leaving = Le démon s'arrête et libère ce qu'il tient.
backend-kernel = noyau
backend-userspace = espace utilisateur
path-direct = direct
path-relay = via { $node }
endpoint-unresolved = le nom de son endpoint n'est pas résolu
endpoint-unreachable = aucun endpoint connu ne répond
endpoint-unknown = aucun endpoint connu, il doit appeler le premier
peer-not-direct = { $node } n'est pas joint directement : { $problem }.
peer-loses = { $node } : { $share } des sondes restent sans réponse.
step-daemon = Démarrage du démon
step-checking = Vérification des prérequis
step-keys = Création des clés
step-interface = Activation de wg-sfha
step-contacting = Prise de contact avec le cluster
step-admission = Admission par les membres du cluster
step-files = Écriture de la configuration
step-corosync = Démarrage de Corosync
step-membership = Attente du quorum et de l'état du cluster
step-key-prepare = Nouvelle clé annoncée à tous
step-key-commit = Passage à la nouvelle clé
step-key-cleanup = Oubli de l'ancienne clé
step-of-node = { $node } : { $step }
step-other = Étape suivante

## Tout va-t-il bien ?

all-well = Tout va bien : { $nodes ->
        [one] { $nodes } nœud
       *[other] { $nodes } nœuds
    } en ligne, { $vips ->
        [0] aucune VIP
        [one] { $vips } VIP active
       *[other] { $vips } VIP actives
    }.
concern-no-quorum = Pas de quorum : { $votes ->
        [0] aucun vote présent
        [one] { $votes } vote présent
       *[other] { $votes } votes présents
    }, il en faut { $needed }.
concern-no-leader = Pas de leader pour l'instant.
concern-maintenance = Maintenance : sfha ne déplace, ne démarre et n'arrête rien.
concern-maintenance-until = Maintenance jusqu'au { $at } : sfha ne déplace, ne démarre et n'arrête rien.
concern-versions = Les nœuds n'ont pas la même version de sfha : { $nodes }.
concern-offline = { $count ->
        [one] { $count } nœud hors ligne : { $names }.
       *[other] { $count } nœuds hors ligne : { $names }.
    }
concern-no-daemon = Démon sfhad absent sur { $names }.
concern-standby = En veille : { $names }.
concern-vip = VIP { $name } : { $state }.
concern-vip-problem = VIP { $name } : { $state } ({ $why }).
concern-vip-conflict = VIP { $name } : { $holder ->
        [no-value] { $address } est déjà prise sur le réseau par { $by }, personne ne la prend.
       *[other] { $address } est aussi revendiquée sur le réseau par { $by }, { $holder } la défend.
    }
concern-mesh = Maillage : { $missing ->
        [one] { $missing } pair muet sur { $peers }.
       *[other] { $missing } pairs muets sur { $peers }.
    }
concern-link = { $name ->
        [mesh] Le lien de Corosync par le maillage ne joint pas { $names }.
        [lan] Le lien de Corosync par le réseau local ne joint pas { $names }.
       *[other] Le lien { $name } de Corosync ne joint pas { $names }.
    }
concern-service = Service { $name } : { $state }.
concern-service-problem = Service { $name } : { $state } ({ $why }).
concern-health = Contrôle de santé { $name } en échec.
concern-fencing = Fencing en attente : { $names }.
unconfigured = Ce nœud ne fait encore partie d'aucun cluster.
unconfigured-next =
    Pour en créer un :
      sfha init --cluster NOM --mesh --ip 10.100.0.1/24
    Pour en rejoindre un, avec un jeton de « sfha mesh token » :
      sfha join

## Tableaux

col-node = NŒUD
col-id = ID
col-state = ÉTAT
col-address = ADRESSE
col-role = RÔLE
col-vip = VIP
col-interface = INTERFACE
col-service = SERVICE
col-unit = UNITÉ
col-failures = ÉCHECS
col-check = CONTRÔLE
col-kind = TYPE
col-error = DERNIÈRE ERREUR
col-peer = PAIR
col-handshake = HANDSHAKE
col-rx = REÇU
col-tx = ÉMIS
col-rtt = LATENCE
col-endpoint = ENDPOINT
col-initiator = ÉMETTEUR
col-used-by = UTILISÉ PAR
col-expires = EXPIRATION
no-nodes = Aucun nœud.
no-vips = Aucune VIP. Pour en ajouter une : sfha vip add NOM IP/CIDR
no-services = Aucun service. Pour en confier un au cluster : sfha service add NOM UNITÉ
no-health = Aucun contrôle de santé.
no-peers = Aucun pair. Pour inviter un nœud : sfha mesh token
no-tokens = Aucun jeton. Pour en créer un : sfha mesh token
interface-auto = auto

## Faits

fact-cluster = Cluster
fact-quorum = Quorum
fact-leader = Leader
fact-detection = Détection
fact-mesh = Maillage
fact-links = Liens
fact-fencing = Fencing
fact-interface = Interface
fact-address = Adresse
fact-key = Clé publique
fact-auto-remove = Retrait auto
auto-remove-after = après { $time } d'absence
fact-rotating = Clé en cours
rotating-prepare = { $node } : à annoncer (sfha mesh rotate-keys --node { $node })
rotating-commit = { $node } : annoncée à tous, pas encore utilisée
rotating-cleanup = { $node } : changée, l'ancienne n'est pas encore oubliée
fact-seen = vu de { $node } (sfhad { $version })
quorum-yes = oui, { $votes ->
        [one] { $votes } vote
       *[other] { $votes } votes
    } sur { $expected } ({ $needed ->
        [one] { $needed } requis
       *[other] { $needed } requis
    })
quorum-device-votes = qdevice { $host } : vote pour ce côté
quorum-device-silent = qdevice { $host } : ne vote pas pour ce côté
quorum-device-gone = qdevice { $host } : ne répond pas à ce nœud
quorum-no = NON, { $votes ->
        [0] aucun vote
        [one] { $votes } vote
       *[other] { $votes } votes
    } sur { $expected } ({ $needed ->
        [one] { $needed } requis
       *[other] { $needed } requis
    })
quorum-unknown = inconnu
detection = { $time } (profil { $profile }), reprise { $delay } après
mesh-summary = { $connected ->
        [0] aucun pair connecté
        [one] { $connected } pair connecté
       *[other] { $connected } pairs connectés
    } sur { $peers }
link-summary = { $name ->
        [mesh] maillage
        [lan] réseau local
       *[other] { $name }
    } { $connected }/{ $peers }
mesh-up = Le maillage est actif.
mesh-down = Le maillage est arrêté.
mesh-about = { $backend }, MTU { $mtu }
mesh-address = { $address }, port UDP { $port }
fencing-off = inactif
fencing-on = actif
fencing-by = actif ({ $provider })

## Ce qui est fait

done-init = Cluster { $cluster } créé ; { $node } en est le premier nœud.
done-join = { $node } est membre du cluster { $cluster } (id { $id }, { $ip }), en { $time }.
done-revoked = Jeton { $id } révoqué.
done-vip-added = VIP { $name } ({ $address }) ajoutée sur tous les nœuds.
done-vip-removed = VIP { $name } supprimée de tous les nœuds.
done-service-added = Service { $name } ({ $unit }) confié au cluster.
done-service-removed = Service { $name } retiré du cluster.
done-rotated = { $node } a changé de clé, en { $time }.
done-rotate-step = { $node } : { $step }, fait en { $time }.
done-standby = { $node } est en veille.
done-standby-here = Ce nœud est en veille.
done-unstandby = { $node } est de nouveau en service.
done-unstandby-here = Ce nœud est de nouveau en service.
done-maintenance-on = Maintenance activée : sfha ne touche plus à rien.
done-maintenance-off = Maintenance terminée : sfha reprend la main.
done-failover = { $count ->
        [0] Rien à déplacer vers { $to }.
        [one] { $count } VIP passée sur { $to } en { $time } : { $names }.
       *[other] { $count } VIP passées sur { $to } en { $time } : { $names }.
    }
done-announced = { $count ->
        [0] Aucune VIP n'est servie en ce moment : rien à annoncer.
        [one] { $count } VIP annoncée à ses voisins par son nœud : { $names }.
       *[other] { $count } VIP annoncées à leurs voisins, chacune par son nœud : { $names }.
    }
token-about =
    Jeton { $id }, pour un seul nœud{ $ip ->
        [none] .
       *[other] {" "}(adresse { $ip }).
    }
    Expiration : { $expires }.
token-use =
    À lancer en root sur le nouveau nœud, qui demandera le jeton :

      sfha join
not-enabled = Attention : « systemctl enable sfha.service » a échoué ; sfha ne démarrera pas au prochain amorçage.

done-node-removed = Nœud { $node } retiré du cluster.
done-left = Ce nœud ne fait plus partie d'aucun cluster ; ses clés et sa configuration sont effacées.
done-peer-added = Pair { $name } ({ $ip }) ajouté sur tous les nœuds.
done-peer-removed = Pair { $name } retiré de tous les nœuds.
done-auto-remove = Un nœud absent depuis { $time } sera retiré du cluster.
done-auto-remove-off = Aucun nœud absent n'est plus retiré de lui-même.
done-mesh-up = Le maillage de ce nœud est rétabli.
done-mesh-down = Le maillage de ce nœud est coupé, jusqu'à « sfha mesh up » ou au prochain démarrage.
not-disabled = Attention : « systemctl disable sfha.service » a échoué ; sfha démarrera quand même à l'amorçage.

## Questions

ask-yes-no = [o/N]
ask-token = Jeton :{" "}
ask-node-remove = Retirer le nœud { $node } du cluster, pour de bon ? S'il est injoignable, l'éteindre d'abord.
ask-leave = Sortir ce nœud de son cluster, pour de bon ? Ses clés et sa configuration seront effacées.
ask-leave-force = Effacer le cluster de ce nœud sans l'accord des autres ? Ils le compteront jusqu'à « sfha node remove ».
ask-peer-remove = Retirer { $name } du maillage, sur tous les nœuds ? Un nœud du cluster en sort pour de bon.
ask-mesh-down = Couper le maillage de ce nœud ? Il perd le quorum, et ses VIP passent ailleurs.
needs-yes = Cette commande détruit quelque chose, et sans terminal rien n'est demandé.
needs-yes-next = Pour confirmer : --yes
ask-vip-remove = Supprimer la VIP { $name } de tous les nœuds ? L'adresse cessera de répondre.
ask-service-remove = Retirer le service { $name } du cluster ? Son unité sera arrêtée.
cancelled = Abandonné, rien n'a changé.

## Ce qui ne va pas

error-prefix = Erreur :
later = La commande « sfha { $command } » n'existe pas encore dans cette version.
later-next = « sfha help » donne les commandes disponibles.
connection-lost = Le démon a coupé la connexion avant de répondre ; on ne sait pas si la demande a abouti.
connection-lost-next = Vérifiez l'état avec « sfha status », et le journal avec « sfha logs ».
protocol-mismatch = Le démon (version { $version }) parle le protocole { $theirs }, cette commande le protocole { $ours }.
protocol-mismatch-next = Installez la même version de sfha partout, puis : systemctl restart sfha.service
no-terminal = Le tableau de bord demande un terminal.
no-terminal-next = Sans terminal : sfha status, ou sfha status --json
file-unreadable = Lecture de { $path } impossible : { $cause }.
interrupted-init = Interrompu : la création du cluster n'est pas terminée.
interrupted-init-next = Vérifiez avec « sfha status » avant de recommencer.
interrupted-join = Interrompu : ce nœud n'a pas fini de rejoindre le cluster.
interrupted-join-next = La même commande peut être relancée ; le jeton sert jusqu'à son expiration.
error-malformed = Le démon n'a pas compris la requête.
    .next = sfha et sfhad n'ont sans doute pas la même version : relancez le démon par « systemctl restart sfha.service ».
error-too-long = La requête dépasse { $limit } octets, la limite du démon.
    .bare = La requête est trop longue pour le démon.
error-too-many-connections = Vous avez { $limit } connexions au démon, le maximum par utilisateur.
    .bare = Vous avez atteint le nombre maximal de connexions au démon par utilisateur.
    .next = Cherchez le programme qui ne ferme pas ses connexions : ss -xp | grep sfhad.sock
error-unknown-method = Le démon ne connaît pas la demande « { $method } ».
    .bare = Le démon ne connaît pas cette demande.
    .next = Il est plus ancien que cette commande : mettez sfha à jour, puis « systemctl restart sfha.service ».
error-invalid-parameter = Valeur refusée pour « { $parameter } »{ $value ->
        [no-value] {""}
       *[other] {" "}({ $value })
    } : { $reason ->
        [no-value] elle n'est pas valable.
        [address] ce n'est pas une adresse IP.
        [cidr] il faut une adresse et son préfixe, comme 10.100.0.1/24.
        [host-in-network] il faut l'adresse d'un hôte dans son réseau, pas celle du réseau.
        [not-a-host-address] ce n'est pas l'adresse d'un hôte.
        [network-address] c'est l'adresse du réseau ou de diffusion.
        [no-mesh] ce cluster n'a pas de maillage.
        [not-reserved] ce jeton est pour un nœud qui a une autre adresse.
        [outside-network] elle n'est pas dans le réseau du maillage.
        [no-address] aucune adresse de ce nœud ne convient ; donnez-en une.
        [unknown] elle n'a pas pu être détectée ; donnez-la.
        [expires] la durée est trop courte ou trop longue.
        [interface] ce n'est pas un nom d'interface.
        [mesh-interface] une adresse du réseau du maillage va sur wg-sfha et sur aucune autre interface.
        [mtu] une MTU va de 1280 à 9000.
        [mtu-userspace] sans WireGuard dans le noyau, la MTU ne dépasse pas 4000.
        [links] les liens sont « mesh » ou « mesh,lan ».
        [inside-mesh] elle est dans le réseau du maillage.
        [lan-family] les autres nœuds ont sur ce lien une adresse de l'autre famille, IPv4 ou IPv6.
        [not-local] aucune interface de ce nœud n'a cette adresse.
        [port] un port va de 1 à 65535.
        [profile] les profils sont fast, lan et wan.
        [name] un nom a des lettres, des chiffres, des tirets, et 63 signes au plus.
        [missing] elle manque.
        [key] ce n'est pas une clé WireGuard.
        [too-many] il y en a déjà autant que possible.
        [auto-remove] il faut une minute au moins.
        [unit] ce n'est pas le nom d'une unité systemd.
        [unit-of-the-cluster] le cluster lui-même repose sur cette unité.
        [unknown-resource] aucune VIP ni aucun service ne porte ce nom.
        [unknown-node] aucun nœud ne porte ce nom.
        [unknown-service] aucun service ne porte ce nom.
        [unknown-check] aucune sonde ne porte ce nom.
        [on-off] il faut « on » ou « off ».
        [event] il n'y a pas d'événement de ce nom.
        [order-circle] ces ressources s'attendent en rond, aucune ne pourrait partir la première.
        [colocation-circle] ces ressources se suivent en rond, aucune ne choisirait le nœud.
        [range] il faut une valeur de { $least } à { $most }.
       *[other] { $reason }.
    }
    .bare = Une valeur a été refusée.
error-not-permitted = { $user ->
        [no-value] Cet utilisateur n'a pas le droit de faire cela.
       *[other] L'utilisateur { $user } n'a pas le droit de faire cela.
    }
    .next = Recommencez en root, par exemple avec sudo.
error-no-daemon = Le démon sfhad ne répond pas sur { $socket }.
    .bare = Le démon sfhad ne répond pas.
    .next = Si ce nœud a un cluster : systemctl start sfha.service. Sinon : sfha init ou sfha join.
error-timed-out = Délai dépassé : { $what ->
        [membership] ce nœud n'est pas devenu membre d'un cluster avec quorum
        [start] le démon n'a pas fini de démarrer
        [leave] ce nœud n'est pas encore sorti du cluster
        [mesh-api] le nœud contacté n'a pas répondu
        [key] le maillage n'est pas passé à la nouvelle clé
        [greeting] le démon ne dit rien
        [subscribe] le démon ne dit plus rien
       *[other] « { $what } » n'a pas abouti
    }{ $seconds ->
        [no-value] .
       *[other] {" "}en { $seconds } s.
    }
    .bare = Délai dépassé.
    .next = Regardez le journal avec « sfha logs », puis recommencez.
error-internal = « { $what } » a échoué : { $cause }.
    .bare = Le démon a échoué.
    .next = Le journal en dit peut-être plus : sfha logs
error-not-configured = Ce nœud ne fait encore partie d'aucun cluster.
    .next = Créez-en un avec « sfha init », ou rejoignez-en un avec « sfha join ».
error-removed = Ce nœud a été retiré du cluster { $cluster }, où il s'appelait { $node }.
    .bare = Ce nœud a été retiré de son cluster.
    .next = Il peut y revenir, avec un jeton de « sfha mesh token » : sfha join
error-leaving = Ce nœud est en train de quitter son cluster.
    .next = Réessayez dans quelques secondes.
error-already-configured = Ce nœud appartient déjà au cluster { $cluster }, sous le nom { $node }.
    .bare = Ce nœud est déjà dans un cluster, ou en train d'y entrer.
    .next = Un nœud n'appartient qu'à un cluster ; « sfha status » montre celui-ci.
error-no-quorum = Pas de quorum : { $votes ->
        [0] aucun vote présent
        [one] { $votes } vote présent
       *[other] { $votes } votes présents
    }, il en faut { $needed }.
    .bare = Pas de quorum.
    .next = Remettez d'autres nœuds en ligne ; « sfha nodes » montre ceux qui manquent.
error-synchronising = Les membres accordent leur état après un changement.
    .next = Recommencez dans quelques secondes.
error-maintenance = Le cluster est en maintenance : rien n'est déplacé.
    .next = Pour en sortir : sfha maintenance off
error-config-changed = Quelqu'un a changé la configuration entre-temps{ $revision ->
        [no-value] {""}
       *[other] {" "}(révision { $revision })
    }.
    .next = Relisez-la, puis recommencez.
error-already-so = { $what ->
        [maintenance] La maintenance est déjà dans cet état.
        [standby] Ce nœud est déjà dans cet état.
        [failover] { $name ->
            [no-value] Tout y est déjà.
           *[other] Tout est déjà sur { $name }.
        }
        [member] Ce nœud est déjà membre du cluster.
        [auto-remove] Le délai de retrait est déjà celui-là.
        [mesh-up] Le maillage de ce nœud n'est pas coupé.
        [mesh-down] Le maillage de ce nœud est déjà coupé.
        [expired] Ce jeton a déjà expiré.
        [prepared] La clé suivante est déjà annoncée à tous.
        [committed] Ce nœud utilise déjà sa nouvelle clé.
        [cleaned-up] Il n'y a pas d'ancienne clé à oublier.
        [rotating] La clé de ce nœud est déjà en train de changer.
        [no-value] C'est déjà le cas.
       *[other] C'est déjà le cas : { $what }.
    }
error-not-found = { $kind ->
        [node] Aucun nœud ne s'appelle « { $name } ».
        [mesh] Ce cluster n'a pas de maillage.
        [stonith] Le fencing n'est pas actif dans ce cluster.
        [vip] Aucune VIP ne s'appelle « { $name } ».
        [peer] Aucun pair ne s'appelle « { $name } ».
        [token] Aucun jeton n'a l'identifiant « { $name } ».
        [service] Aucun service ne s'appelle « { $name } ».
        [interface] Aucune interface ne s'appelle « { $name } ».
       *[other] « { $name } » est introuvable.
    }
    .bare = Ce nom est introuvable.
    .next = { $kind ->
        [node] « sfha nodes » donne les noms.
        [stonith] Pour le mettre en place : sfha stonith setup
        [vip] « sfha vip list » donne les noms.
        [peer] « sfha mesh status » donne les noms.
        [token] « sfha mesh tokens » donne les identifiants.
        [interface] « ip link » donne les interfaces de ce nœud.
       *[other] « sfha status » montre ce qui existe.
    }
error-already-exists = { $kind ->
        [node] Un nœud s'appelle déjà « { $name } »
        [vip] La VIP « { $name } » existe déjà
        [peer] Un pair s'appelle déjà « { $name } »
        [key] La clé donnée pour « { $name } » sert déjà
       *[other] « { $name } » est déjà pris
    }{ $by ->
        [no-value] {""}
       *[other] {" "}({ $by })
    }.
    .bare = Ce nom ou cette adresse sont déjà pris.
    .next = Choisissez un autre nom ou une autre adresse.
error-no-candidate = { $name ->
        [no-value] Aucun autre nœud ne peut prendre le relais.
       *[other] Aucun autre nœud ne peut reprendre { $name }.
    }
    .next = Il faut un autre nœud en ligne, avec son démon, et qui ne soit pas en veille : sfha nodes
error-not-served = Aucun nœud ne sert la VIP { $name } en ce moment.
    .bare = Aucun nœud ne sert cette VIP en ce moment.
    .next = Pourquoi : sfha vip list, sfha history
error-nodes-away = Il manque des nœuds : { $nodes }. Un nœud absent ne connaîtrait pas la nouvelle clé et ne trouverait plus personne.
    .bare = Il manque des nœuds, qui ne connaîtraient pas la nouvelle clé.
    .next = Attendez leur retour, ou retirez-les du cluster : sfha nodes
error-wrong-step = Pour { $node }, une autre étape vient d'abord : { $wanted }.
    .bare = Une autre étape vient d'abord.
    .next = sfha mesh rotate-keys --{ $wanted } ; sans option, la commande fait tout ce qui reste.
error-would-lose-quorum = Sans { $name }, plus de quorum : { $votes ->
        [0] aucun vote ne resterait
        [one] { $votes } vote resterait
       *[other] { $votes } votes resteraient
    }, il en faut { $needed }.
    .bare = Le quorum serait perdu.
    .next = Remettez d'abord d'autres nœuds en service (« sfha nodes » montre lesquels manquent).
error-last-node = { $name } est le seul nœud de son cluster.
    .bare = C'est le seul nœud de son cluster.
    .next = Pour effacer le cluster, sur ce nœud : sfha leave
error-daemon-missing = Corosync tourne sur { $name }, mais pas le démon sfhad : ce nœud continuerait seul.
    .bare = Corosync tourne sur ce nœud, mais pas le démon sfhad : il continuerait seul.
    .next = Sur ce nœud : « systemctl start sfha » ou « systemctl stop corosync » ; puis réessayez.
error-mesh-down = Le maillage de ce nœud a été coupé à la main.
    .next = Pour le rétablir : sfha mesh up
error-corosync-missing = Corosync n'est pas installé ({ $program } est introuvable).
    .bare = Corosync n'est pas installé.
    .next = apt install corosync
error-corosync-failed = Corosync n'a pas démarré ou n'a pas tenu : { $cause }.
    .bare = Corosync n'a pas démarré ou n'a pas tenu.
    .next = Voyez pourquoi avec « journalctl -u corosync », puis recommencez.
error-foreign-corosync-conf = { $path } existe déjà et ne vient pas de sfha.
    .bare = Un corosync.conf existe déjà et ne vient pas de sfha.
    .next = S'il ne sert plus, recommencez avec --force : une copie en est gardée.
error-foreign-interface = Une interface { $interface } existe déjà et n'est pas à sfha.
    .bare = L'interface du maillage existe déjà et n'est pas à sfha.
    .next = Si elle ne sert plus : ip link delete { $interface }
error-port-busy = Le port UDP { $port } est déjà pris{ $by ->
        [no-value] {""}
       *[other] {" "}par { $by }
    }.
    .bare = Le port UDP est déjà pris.
    .next = Libérez-le, ou choisissez-en un autre avec --port.
error-network-overlap = Le réseau { $network } du maillage recouvre { $with }, déjà présent sur { $interface }.
    .bare = Le réseau du maillage recouvre un réseau de ce nœud.
    .next = Choisissez un autre réseau privé avec --ip.
error-no-wireguard = Impossible de créer une interface WireGuard, ni par le noyau ni en espace utilisateur : { $cause }.
    .bare = Impossible de créer une interface WireGuard, ni par le noyau ni en espace utilisateur.
    .next = Il faut le module wireguard, ou bien /dev/net/tun et CAP_NET_ADMIN (dans un conteneur, à donner depuis l'hôte).
error-token-damaged = Ce jeton ne se lit pas : { $reason ->
        [prefix] il ne commence pas par sfha-join://.
        [encoding] il est tronqué ou altéré.
        [json] son contenu est altéré.
        [checksum] sa somme de contrôle est fausse.
        [field] le champ { $field } manque ou n'est pas valable.
       *[other] il est abîmé.
    }
    .bare = Ce jeton ne se lit pas.
    .next = Recopiez-le en entier, sur une seule ligne, ou créez-en un autre avec « sfha mesh token ».
error-token-expired = Ce jeton a expiré ({ $expired }).
    .bare = Ce jeton a expiré.
    .next = Créez-en un autre avec « sfha mesh token » sur un nœud du cluster, et vérifiez l'heure des deux machines.
error-token-used = Ce jeton a déjà servi{ $node ->
        [no-value] {""}
       *[other] {" "}au nœud { $node }
    }.
    .next = Un jeton sert à un seul nœud : créez-en un autre avec « sfha mesh token ».
error-token-unknown = Le cluster ne connaît pas ce jeton : il a été révoqué, ou il est trop ancien.
    .next = Créez-en un autre avec « sfha mesh token » sur un nœud du cluster.
error-token-foreign = La signature de ce jeton n'est pas celle de ce cluster.
    .next = Vérifiez de quel cluster il vient ; créez-en un autre avec « sfha mesh token ».
error-unreachable = Pas de réponse de { $endpoint }{ $kind ->
        [lan] {""}
       *[other] {" "}par le tunnel
    } en { $seconds } s.
    .bare = Pas de réponse de l'autre nœud.
    .next = Vérifiez que ce port { $kind ->
        [lan] TCP passe (pare-feu)
       *[other] UDP passe (pare-feu, redirection NAT)
    } et que l'autre nœud est en marche.
error-no-address-left = Plus aucune adresse libre dans { $network }.
    .bare = Plus aucune adresse libre dans le réseau du maillage.
    .next = « sfha mesh tokens » montre celles qui sont réservées ; révoquez un jeton pour en libérer une.
error-no-lan-address = Corosync a dans ce cluster un lien sur le réseau local, et ce nœud n'y a pas d'adresse.
    .next = Donnez-la avec --lan-ip.
error-too-many-nodes = { $open ->
        [no-value] Le cluster a atteint sa limite de { $limit } nœuds.
        [one] Le cluster a { $nodes } nœuds pour { $limit } places, et { $open } jeton ouvert retient celle qui reste : { $invites }.
       *[other] Le cluster a { $nodes } nœuds pour { $limit } places, et { $open } jetons ouverts retiennent celles qui restent : { $invites }.
    }
    .bare = Le cluster a atteint sa limite de nœuds.
    .next = { $open ->
        [no-value] Retirez d'abord un nœud : sfha node remove.
       *[other] Un jeton qui ne sert plus se révoque : sfha mesh revoke ID
    }
error-node-online = { $name } est membre du cluster en ce moment.
    .bare = Ce nœud est membre du cluster en ce moment.
    .next = Voyez « sfha nodes » ; un nœud en ligne se déplace avec « sfha failover » ou « sfha standby ».
error-not-fenced = { $name } est absent, et rien ne montre qu'il est éteint.
    .bare = Le nœud est absent, et rien ne montre qu'il est éteint.
    .next = Tant que le fencing est actif, un nœud est éteint avant d'être retiré : sfha stonith fence { $name } ; ou, après avoir constaté qu'il est éteint : sfha stonith confirm { $name }
error-fence-unconfirmed = { $name } a été éteint, mais rien ne montre qu'il l'est.
    .bare = Le nœud a été éteint, mais rien ne montre qu'il l'est.
    .next = Vérifiez que la configuration désigne bien cette machine ; après l'avoir éteinte à la main : sfha stonith confirm { $name }
error-fence-unreachable = { $endpoint } ne répond pas (fencing par { $driver }) : { $cause }.
    .bare = Ce qui éteint les nœuds ne répond pas.
    .next = Vérifiez l'adresse et le réseau, puis : sfha stonith test
error-fence-denied = Accès refusé par { $driver } (HTTP { $status }).
    .bare = Accès refusé par ce qui éteint les nœuds.
    .next = Vérifiez le jeton et ses droits : docs/fr/fencing.md en donne la liste.
error-fence-certificate = { $reason ->
        [issuer] Aucune autorité de confiance ne répond du certificat de { $endpoint } ({ $driver }) ; son empreinte SHA-256 : { $fingerprint }.
        [name] Le certificat de { $endpoint } n'est pas à ce nom ({ $driver }) ; son empreinte SHA-256 : { $fingerprint }.
        [expired] Le certificat de { $endpoint } a expiré ({ $driver }) ; son empreinte SHA-256 : { $fingerprint }.
       *[other] Le certificat de { $endpoint } n'est pas celui attendu ({ $driver }). Empreinte attendue : { $expected }. Empreinte trouvée : { $fingerprint }.
    }
    .bare = Le certificat de ce qui éteint les nœuds n'est pas celui attendu.
    .next = Comparez cette empreinte sur la machine elle-même avant de l'inscrire dans config.yml.
error-fence-target = { $driver } ne connaît pas { $name } ({ $value }).
    .bare = Ce qui éteint les nœuds ne connaît pas celui-ci.
    .next = Vérifiez stonith.nodes dans config.yml, et que le jeton peut voir cette machine.
error-fence-failed = Échec de { $driver } : { $cause }.
    .bare = Ce qui éteint les nœuds a échoué.
error-agent-missing = { $program } n'est pas installé.
    .bare = Cet agent de fencing n'est pas installé.
    .next = apt install fence-agents
error-agent-parameter = { $reason ->
        [missing] Il manque à { $program } le paramètre « { $parameter } ».
        [value] La valeur du paramètre « { $parameter } » ne convient pas à { $program }.
        [reserved] Le paramètre « { $parameter } » de { $program } est fixé par sfha.
       *[unknown] { $program } ne connaît pas le paramètre « { $parameter } ».
    }
    .bare = Un paramètre de l'agent de fencing ne convient pas.
    .next = Les paramètres possibles : { $program } -o metadata
error-watchdog-unusable = Le watchdog { $path } ne peut pas servir : { $cause }.
    .bare = Le watchdog ne peut pas servir.
    .next = Un seul programme peut le tenir : voyez « wdctl » et RuntimeWatchdogSec dans systemd.
error-file-invalid = { $path } ne se lit pas{ $line ->
        [no-value] {""}
       *[other] {" "}(ligne { $line }{ $column ->
            [no-value] {""}
           *[other] , colonne { $column }
        })
    } : { $reason }.
    .bare = Un fichier de sfha ne se lit pas.
    .next = Corrigez le fichier, puis recommencez ; il n'a pas été modifié.{ $backup ->
        [no-value] {""}
       *[other] {" "}Sa dernière bonne version : { $backup }
    }
error-file-mode = { $path } est lisible par d'autres (mode { $mode }, attendu { $wanted }).
    .bare = Un fichier secret est lisible par d'autres.
    .next = chmod { $wanted } { $path }
error-file-write = { $node ->
        [no-value] Écriture de { $path } impossible : { $cause }.
       *[other] Le nœud { $node } n'a pas pu écrire l'état du cluster.
    }
    .bare = Un fichier n'a pas pu être écrit.
    .next = Vérifiez la place et les droits sur ce système de fichiers.
error-unknown = Le démon a refusé pour une raison que cette version ne connaît pas ({ $code }).
    .next = Mettez sfha à jour ; le journal en dit plus : sfha logs

## Aide

about = sfha, haute disponibilité simple : maillage WireGuard, quorum Corosync, adresses flottantes.
after-help = Sans commande : le tableau de bord sur un terminal, sinon la même chose que « sfha status ».
heading-usage = Utilisation :
heading-commands = Commandes{" "}
heading-arguments = Arguments{" "}
heading-options = Options{" "}
heading-global = Options communes{" "}
value-command = COMMANDE
value-name = NOM
value-node = NŒUD
value-path = CHEMIN
value-endpoint = HÔTE[:PORT]
value-duration = DURÉE
value-token = JETON
value-bytes = OCTETS
value-args = ARGS
value-text = TEXTE
value-unit = UNITÉ
value-nodes = NŒUD[,NŒUD…]
cmd-status = État du cluster vu de ce nœud
cmd-dashboard = Tableau de bord en plein écran
cmd-nodes = Les nœuds
cmd-resources = Les VIP et les services
cmd-health = Les contrôles de santé
cmd-init = Créer un cluster dont ce nœud est le premier
cmd-join = Rejoindre un cluster avec un jeton
cmd-mesh = Le maillage WireGuard et ses jetons
cmd-mesh-status = L'interface et les pairs
cmd-mesh-token = Créer un jeton pour ajouter un nœud
cmd-mesh-tokens = Lister les jetons
cmd-mesh-revoke = Révoquer un jeton
cmd-mesh-rotate-keys = Changer la clé WireGuard d'un nœud, ou de tous, sans coupure
cmd-mesh-add-peer = Ajouter un pair qui n'est pas un nœud du cluster
cmd-mesh-remove-peer = Retirer un pair, ou un nœud
cmd-mesh-auto-remove = Retirer d'eux-mêmes les nœuds absents trop longtemps
cmd-mesh-up = Rétablir le maillage de ce nœud
cmd-mesh-down = Couper le maillage et Corosync sur ce nœud
cmd-node = Les nœuds du cluster
cmd-node-remove = Retirer un nœud du cluster, pour de bon
cmd-leave = Sortir ce nœud de son cluster, pour de bon
cmd-reload = Faire faire au cluster ce que dit config.yml de ce nœud
cmd-vip = Les adresses flottantes
cmd-vip-list = Lister les VIP
cmd-vip-add = Ajouter une VIP
cmd-vip-remove = Supprimer une VIP
cmd-vip-announce = Annoncer de nouveau des VIP à leurs voisins, là où elles sont
cmd-service = Les services systemd que le cluster fait tourner
cmd-service-list = Lister les services
cmd-service-add = Confier un service au cluster
cmd-service-remove = Retirer un service du cluster
cmd-standby = Mettre un nœud en veille : il ne tient plus rien
cmd-unstandby = Remettre un nœud en service
cmd-failover = Basculer tout ce que tient le leader
cmd-maintenance = Suspendre ou reprendre toute action de sfha
cmd-history = Ce qui s'est passé
cmd-events = Ce qui se passe, au fur et à mesure
cmd-logs = Le journal du démon
cmd-run = Devenir le démon sfhad
cmd-completions = Script de complétion pour un shell
cmd-version = La version
cmd-help = Cette aide, ou celle d'une commande
arg-json = Un document JSON sur la sortie standard
arg-lang = Langue (fr par défaut ; SFHA_LANG et la locale comptent aussi)
arg-socket = Socket du démon [défaut : { $path }]
arg-yes = Ne rien demander
arg-verbose = Détails techniques sur la sortie d'erreur
arg-help = Afficher cette aide
arg-version = Afficher la version
arg-demo = Un cluster imaginaire, sans démon ni droits
arg-on-off = on : suspendre ; off : reprendre
arg-node = Le nœud [défaut : celui-ci]
arg-announce-names = VIP à annoncer [défaut : toutes celles qui sont servies]
arg-failover-names = VIP et services à basculer, avec ce qui leur est lié [défaut : tous]
arg-maintenance-until = Fin automatique après cette durée, par exemple { $example }
arg-to = Le nœud qui prend le relais [défaut : le mieux placé]
arg-name = Nom de ce nœud [défaut : le nom d'hôte]
arg-cluster = Nom du cluster
arg-mesh = Relier les nœuds par un maillage WireGuard
arg-init-ip = Adresse de ce nœud dans le maillage, avec son préfixe
arg-port = Port UDP de WireGuard [défaut : 51820]
arg-init-endpoint = Adresse où les autres joignent ce nœud [défaut : détectée]
arg-join-endpoint = Adresse où les autres joignent ce nœud [défaut : celle que voit le cluster]
arg-mtu = MTU de wg-sfha [défaut : selon le réseau, 1420 au plus]
arg-links = Liens de Corosync ; avec lan, un second sur le réseau local [défaut : mesh]
arg-init-lan-ip = Adresse de ce nœud sur le lien local [défaut : détectée]
arg-join-lan-ip = Adresse de ce nœud sur le lien local, s'il y en a un [défaut : détectée]
arg-profile = Réglage de Corosync [défaut : lan]
arg-force = Remplacer un corosync.conf étranger (une copie est gardée)
arg-token = Le jeton ; « - » ou rien : lu sur l'entrée standard
arg-token-file = Lire le jeton dans ce fichier
arg-timeout = Délai total [défaut : 60s]
arg-expires = Durée de vie du jeton [défaut : 1h]
arg-token-ip = Adresse du futur nœud [défaut : la première libre]
arg-token-id = Identifiant du jeton
arg-rotate-prepare = Seulement créer la clé et l'annoncer à tous les nœuds
arg-rotate-commit = Seulement passer à la clé annoncée
arg-rotate-cleanup = Seulement faire oublier l'ancienne clé
arg-rotate-all = Tous les nœuds, l'un après l'autre
arg-node-remove = Le nœud
arg-leave-force = Sans l'accord des autres nœuds
arg-peer-name = Nom du pair
arg-peer-ip = Son adresse dans le maillage
arg-peer-key = Sa clé publique
arg-peer-endpoint = Où le joindre [défaut : c'est lui qui appelle]
arg-auto-remove = Durée d'absence, comme 7d, ou off
arg-vip = Nom de la VIP
arg-vip-address = Adresse avec son préfixe
arg-vip-interface = Interface [défaut : celle du réseau de l'adresse]
arg-service = Nom du service
arg-service-unit = Son unité systemd, comme nginx.service
arg-service-prefer = Nœuds préférés, le meilleur d'abord
arg-service-critical = S'il échoue, il passe sur un autre nœud
arg-service-restarts = Redémarrages sur place avant cela [défaut : 0]
arg-service-start-timeout = Temps laissé pour démarrer [défaut : 30s]
arg-service-stop-timeout = Temps laissé pour s'arrêter, avant d'être tué [défaut : 20s]
arg-exit-code = Une ligne et un code de sortie pour la supervision : 0 tout va bien, 1 à surveiller, 2 critique, 3 inconnu
arg-history-limit = Au plus N événements, les derniers ({ $count } par défaut)
arg-since = Seulement depuis ce moment, ou depuis cette durée, par exemple { $example }
arg-history-resource = Seulement ce qui touche cette VIP, ce service, ce contrôle ou ce lien
arg-history-node = Seulement ce qui touche ce nœud
value-since = MOMENT
value-not-since = ce n'est ni un moment ni une durée ; par exemple { $example }
arg-follow = Continuer avec les nouvelles lignes
arg-run-args = Arguments de sfhad
arg-shell = bash, zsh, fish, elvish ou powershell
arg-help-command = La commande
value-not-cidr = une adresse avec son préfixe est attendue, comme { $example }
value-not-ip = une adresse IP est attendue, comme { $example }
value-not-port = un port est un nombre de 1 à 65535
value-not-mtu = une MTU est un nombre de 1280 à 9000
value-not-duration = une durée d'au moins une seconde est attendue, comme { $example }
value-not-auto-remove = une durée d'au moins une minute est attendue, comme { $example }, ou off
usage-unknown-command = La commande « { $name } » n'existe pas.
usage-unknown-argument = L'argument « { $name } » n'existe pas ici.
usage-missing = Il manque : { $names }.
usage-missing-command = Il manque une commande.
usage-no-value = Il manque une valeur pour { $name }.
usage-bad-value = « { $value } » n'est pas une valeur de { $name }.
usage-invalid = « { $value } » ne convient pas pour { $name } : { $reason }.
usage-twice = { $name } est donné plusieurs fois.
usage-conflict = { $name } ne va pas avec { $other }.
usage-no-equals = { $name } attend sa valeur après un signe égal.
usage-too-many = « { $value } » est de trop pour { $name }.
usage-count = { $name } n'a pas le bon nombre de valeurs.
usage-utf8 = Un argument n'est pas du texte UTF-8.
usage-other = La ligne de commande ne se comprend pas.
usage-suggestion = Vouliez-vous dire : { $text } ?
usage-values = Valeurs possibles : { $values }
usage-usage = Utilisation : { $usage }
usage-help = « sfha help » donne les commandes disponibles.

## Tableau de bord

view-overview = Cluster
view-logs = Journal
view-help = Aide
stale = Données d'il y a { $age } ; nouvel essai toutes les deux secondes.
head-maintenance = MAINTENANCE
key-concerns = alertes
concerns-title = Alertes
no-concerns = Tout va bien.
link-demo = démonstration
link-connecting = connexion…
link-up = en direct
link-none = pas de connexion
link-lost = connexion perdue depuis { $age }
seen-from = vu de { $node }
head-quorum = quorum
head-votes = { $votes }/{ $expected } (min. { $needed })
head-leader = leader
head-detection = détection
head-detection-value = { $time } + { $delay } ({ $profile })
head-fencing = fencing
more-concerns = { $count ->
        [one] + { $count } autre
       *[other] + { $count } autres
    }
section-nodes = Nœuds { $online }/{ $count }
section-vips = VIP { $active }/{ $count }
section-services = Services { $count }
section-mesh = Maillage { $connected }/{ $count }
section-logs = Journal du démon
col-name = NOM
problem-no-interface = pas d'interface
problem-address-refused = adresse refusée
problem-netlink = erreur netlink
problem-duplicate-address = adresse déjà prise
problem-start-failed = ne démarre pas
problem-start-timed-out = trop long à démarrer
problem-no-such-unit = unité introuvable
problem-unit-masked = unité masquée
problem-stop-failed = ne s'arrête pas
problem-unit-failed = l'unité est tombée
problem-unhealthy = contrôle de santé mauvais
col-holds = TIENT
col-problem = PROBLÈME
col-rx-rate = REÇU/S
col-tx-rate = ÉMIS/S
col-traffic = TRAFIC
graph-rx = Reçu, { $whose }
graph-tx = Émis, { $whose }
graph-all = tout le maillage
graph-state = { $now }, max. { $most }
waiting = En attente de l'état du cluster…
retrying = Nouvel essai toutes les deux secondes ; q pour quitter.
no-logs = Rien pour l'instant.
logs-following = suivi
details-node = Nœud { $name }
details-vip = VIP { $name }
details-service = Service { $name }
details-peer = Pair { $name }
details-gone = N'existe plus.
yes = oui
no = non
ago = il y a { $age }
traffic = { $total }, { $rate }
pair-state = État
pair-role = Rôle
pair-id = Id Corosync
pair-address = Adresse
pair-member = Membre
pair-daemon = Démon
pair-standby = En veille
pair-holds = Tient
pair-interface = Interface
pair-holder = Nœud
pair-problem = Problème
pair-unit = Unité
pair-health = Santé
pair-failures = Échecs
pair-handshake = Handshake
pair-endpoint = Endpoint
pair-path = Chemin
pair-rtt = Latence
pair-loss = Perte
pair-mesh-address = Adresse
pair-keepalive = Keepalive
pair-rx = Reçu
pair-tx = Émis
pair-key = Clé
confirm-yes-key = o
notice-no-link = Pas de connexion au démon.
notice-already-standby = { $node } est déjà en veille.
notice-not-standby = { $node } n'est pas en veille.
help-keys = TOUCHES
help-marks = MARQUES
help-good = comme il faut
help-warn = en transition, ou voulu ainsi
help-bad = en panne
key-up = monter
key-down = descendre
key-open = détails
key-standby = veille
key-unstandby = fin de veille
key-maintenance = maintenance
key-page-up = dix lignes plus haut
key-page-down = dix lignes plus bas
key-first = début
key-last = fin
key-next-view = vue suivante
key-overview = le cluster
key-logs = le journal
key-help = aide
key-back = retour
key-redraw = redessiner
key-suspend = suspendre
key-quit = quitter
key-confirm = confirmer
key-cancel = annuler
key-close = fermer
key-name-up = Haut
key-name-down = Bas
key-name-enter = Entrée
key-name-esc = Échap
key-name-page-up = Pg.préc
key-name-page-down = Pg.suiv
key-name-home = Début
key-name-end = Fin

## Le fichier de configuration

config-valid = { $path } se lit sans erreur{ $warnings ->
        [0] .
        [one] , avec { $warnings } avertissement.
       *[other] , avec { $warnings } avertissements.
    }
config-invalid = { $path } : { $count ->
        [one] { $count } erreur.
       *[other] { $count } erreurs.
    }
finding-head-error = erreur : { $message }
finding-head-warning = avertissement : { $message }
reload-nothing = Rien à changer : le cluster fait déjà ce que dit config.yml.
reload-would = Essai : { $count ->
        [one] { $count } entrée changerait.
       *[other] { $count } entrées changeraient.
    }
reload-done = { $count ->
        [one] { $count } entrée changée sur tous les nœuds.
       *[other] { $count } entrées changées sur tous les nœuds.
    }
change-kind = { $kind ->
        [vip] VIP
        [service] service
        [health-check] contrôle de santé
        [constraint] contrainte
        [failback] retour au nœud préféré
        [qdevice] qdevice
        [priority] priorité de
       *[other] { $kind }
    }
propagate-in-step = Tous les nœuds présents ont le même état.
propagate-behind = Les nœuds présents n'ont pas tous le même état, ou se mettent d'accord.
config-file-in-step = config.yml de ce nœud dit la même chose.
config-file-edited = config.yml de ce nœud a été modifié : sfha reload --dry-run montre ce qui changerait.
config-file-invalid = config.yml de ce nœud a des erreurs : sfha config-check les montre.
concern-config = config.yml de { $node } a des erreurs et n'est plus tenu à jour : sfha config-check, puis sfha reload.
col-version = VERSION
col-hash = EMPREINTE
col-program = SFHA
cmd-config-check = Chercher les erreurs de config.yml, sans démon
cmd-config-example = Afficher un config.yml complet et commenté
cmd-propagate = La version de l'état que chaque nœud a
arg-config-file = Le fichier [défaut : /etc/sfha/config.yml]
arg-reload-dry-run = Montrer ce qui changerait, sans rien changer
finding-syntax = Ce n'est pas du YAML : { $cause }.
    .next = Vérifiez l'indentation, les guillemets et les crochets, ici ou juste au-dessus.
finding-tab = Cette ligne est indentée par une tabulation.
    .next = En YAML, on indente avec des espaces.
finding-alias = Les ancres (&) et les alias (*) ne sont pas lus.
    .next = Écrivez la valeur à chaque endroit ; un texte qui commence par & ou * se met entre guillemets.
finding-tag = Les étiquettes (« ! ») ne sont pas lues.
    .next = Enlevez-la ; un texte qui commence par « ! » se met entre guillemets.
finding-second-document = Un second document commence ici.
    .next = Tout tient dans un seul : enlevez la ligne « --- ».
finding-too-deep = C'est imbriqué sur plus de { $limit } niveaux.
finding-too-large = Le fichier dépasse { $limit } octets.
finding-unknown-key = La clé « { $name } » n'existe pas ici.
    .next = { $suggestion ->
        [no-value] Possible ici : { $allowed }
       *[other] Vouliez-vous dire « { $suggestion } » ?
    }
finding-duplicate-key = La clé « { $name } » est déjà là, ligne { $first }.
    .next = Gardez l'une des deux.
finding-missing-key = Il manque la clé « { $name } ».
    .next = Ajoutez-la, avec sa valeur.
finding-conflicting-keys = « { $name } » et « { $other } » disent la même chose.
    .next = Gardez l'une des deux.
finding-not-for-type = La clé « { $name } » ne va pas avec le type « { $kind } ».
    .next = Enlevez-la, ou changez le type.
finding-wrong-type = Il faut ici { $wanted ->
        [map] des clés et leurs valeurs
        [list] une liste
        [number] un nombre
        [bool] true ou false
       *[other] un texte
    }.
    .next = Il y a { $found ->
        [map] des clés et leurs valeurs
        [list] une liste
        [number] un nombre
        [bool] true ou false
       *[other] un texte
    }.
finding-not-allowed = « { $value } » n'est pas possible ici.
    .next = { $suggestion ->
        [no-value] Possible ici : { $allowed }
       *[other] Vouliez-vous dire « { $suggestion } » ?
    }
finding-out-of-range = « { $value } » n'est pas un nombre entier de { $least } à { $most }.
finding-bad-duration = « { $value } » n'est pas une durée.
    .next = Par exemple : 500ms, 20s, 5m, 1h 30m.
finding-duration-range = « { $value } » n'est pas entre { $least } et { $most }.
finding-bad-name = « { $value } » ne peut pas être un nom.
    .next = Lettres sans accent, chiffres, « - », « _ » et « . », 63 au plus, et d'abord une lettre ou un chiffre.
finding-bad-address = « { $value } » n'est pas une adresse IP.
    .next = Par exemple : 192.168.1.100, ou 192.168.1.100/24.
finding-not-a-host = Aucune machine ne peut avoir l'adresse { $value }.
    .next = Choisissez une adresse libre du réseau, ni la première ni la dernière.
finding-bad-interface = « { $value } » n'est pas un nom d'interface.
    .next = « ip link » les donne.
finding-bad-unit = « { $value } » n'est pas une unité que le cluster peut démarrer.
    .next = Par exemple : nginx.service.
finding-bad-url = « { $value } » n'est pas une URL http ou https, sans mot de passe.
    .next = Par exemple : http://127.0.0.1:8080/health.
finding-bad-target = « { $value } » n'est pas HÔTE:PORT.
    .next = Par exemple : 127.0.0.1:22, ou [fd00::1]:22.
finding-bad-host = « { $value } » n'est ni une adresse ni un nom d'hôte.
    .next = Par exemple : 192.168.1.9, ou qnetd.example.com.
finding-bad-path = « { $value } » n'est pas un chemin complet.
    .next = Il commence par « / ».
finding-bad-listen = « { $value } » n'est ni ADRESSE:PORT ni un chemin complet.
    .next = Par exemple : 127.0.0.1:9777, ou /run/sfha/metrics.sock.
finding-empty-command = Il n'y a pas de programme.
    .next = Par exemple : [/usr/local/bin/test, argument].
finding-bad-fingerprint = « { $value } » n'est pas une empreinte SHA-256.
    .next = 64 chiffres hexadécimaux, avec ou sans « : », comme « pvenode cert info » les montre.
finding-bad-agent = « { $value } » n'est pas le nom d'un agent de fencing.
    .next = Par exemple : fence_ipmilan. Les agents installés : ls /usr/sbin/fence_*
finding-shared-secret = { $name } met un secret dans ce que tous les nœuds partagent.
    .next = Mettez-le dans le fichier options_file de l'agent.
finding-duplicate-name = Le nom « { $name } » est déjà pris, ligne { $first }.
    .next = VIP et services partagent leurs noms : choisissez-en un autre.
finding-duplicate-address = L'adresse { $value } est déjà celle d'une autre VIP, ligne { $first }.
finding-duplicate-unit = L'unité { $value } est déjà celle d'un autre service, ligne { $first }.
finding-duplicate-constraint = Cette contrainte est déjà là, ligne { $first }.
finding-unknown-resource = Ni VIP ni service ne s'appelle « { $name } ».
    .next = Vouliez-vous dire « { $suggestion } » ?
finding-unknown-service = Aucun service ne s'appelle « { $name } ».
    .next = Vouliez-vous dire « { $suggestion } » ?
finding-unknown-node = Le cluster n'a pas de nœud « { $name } ».
    .next = Vouliez-vous dire « { $suggestion } » ?
finding-tied-to-itself = « { $name } » est liée à elle-même.
finding-cycle = Ces contraintes tournent en rond : { $names }.
    .next = Enlevez l'une d'elles.
finding-too-many = { $what } a plus de { $limit } entrées.
finding-other-cluster = Ce fichier est pour le cluster « { $value } », ce nœud est dans « { $wanted } ».
    .next = Un cluster garde son nom : remettez « { $wanted } ».
finding-other-node = Ce fichier est pour le nœud « { $value } », celui-ci est « { $wanted } ».
    .next = Un nœud garde son nom : remettez « { $wanted } ».
finding-ignored = « { $name } » ne fait plus rien.
    .next = Vous pouvez l'enlever.
finding-quorum-always = Sans quorum, rien ne tourne et personne n'est isolé, quoi que dise cette clé.
    .next = Vous pouvez l'enlever.
finding-unverified = Le certificat du serveur n'est pas vérifié : n'importe qui peut répondre à sa place.
    .next = Donnez plutôt son autorité (ca_file).
finding-watchdog-short = Délai de { $seconds } s pour le watchdog : un démon simplement mort emporterait la machine.
    .next = Au moins { $least } s : systemd met jusqu'à 5 s à s'en apercevoir, puis relance le démon.
finding-watchdog-before-stop = { $name } peut mettre { $stop } s à s'arrêter, et le watchdog réinitialise la machine au bout de { $seconds } s.
    .next = Pendant que des services s'arrêtent, après la mort du démon ou la perte du quorum, personne ne le nourrit : au moins { $least } s, ou un stop_timeout plus court.
finding-secret-in-file = { $name } met un secret dans ce fichier.
    .next = Mettez-le dans un fichier à part, ou rendez celui-ci illisible aux autres : chmod 600.
finding-unknown = Quelque chose ne va pas ici, que cette version ne sait pas nommer ({ $code }).
## Tableau de bord : vues

view-mesh = Maillage
view-resources = Ressources
view-nodes = Nœuds
view-fencing = Fencing
view-events = Événements
head-busy = { $title } : en cours
search = Recherche :
search-found = { $shown }/{ $total }
list-filter = filtre « { $filter } » : { $shown }/{ $total }
list-sorted = tri : { $by }
list-sorted-reverse = tri inverse : { $by }
sort-name = nom
sort-state = état
sort-node = nœud
sort-id = id
sort-holds = charge
sort-handshake = handshake
sort-received = reçu
sort-sent = émis
sort-rtt = latence
sort-loss = perte
no-match = Rien ne correspond à la recherche.
no-mesh = Ce cluster n'a pas de maillage.
more-well = { $count ->
        [one] { $count } autre, comme il faut ({ $view })
       *[other] { $count } autres, comme il faut ({ $view })
    }
many-well = Tout est comme il faut ({ $view }).
holds-many = { $vips } VIP, { $services ->
        [one] { $services } service
       *[other] { $services } services
    }
col-health = SANTÉ
col-fencing = FENCING
section-checks = Contrôles de santé { $good }/{ $count }
section-constraints = Contraintes { $count }
col-constraint = RÈGLE
col-state-version = CONFIGURATION
details-constraint = Contrainte
pair-bound = Ressource
pair-rule = Règle
pair-prefers = Préfère
pair-load = Charge du démon
constraint-with = sur le nœud de { $name }
constraint-after = après { $name }
constraint-kept = respectée
constraint-broken = en attente
constraint-idle = sans objet
state-short = { $epoch }.{ $version } { $hash }
load-cpu = { $share } d'un cœur
load-since = lancé il y a { $age }
why-preferred = { $node } est son nœud préféré.
why-prefers = Nœuds préférés, dans l'ordre : { $nodes }.
why-with = Toujours sur le même nœud que { $name }.
why-after = Seulement une fois { $name } en place.
why-followed = Entraîne toujours { $name }.
section-here = Ce nœud dans le maillage
section-matrix = De nœud à nœud
matrix-known = { $known ->
        [0] aucun chemin connu
        [one] { $known } chemin connu
       *[other] { $known } chemins connus
    } sur { $pairs }
matrix-legend = ms de ligne à colonne ; * relayé, { $bad } muet, { $unknown } inconnu
section-fencing = Fencing
section-fencing-history = Nœuds perdus et fencing
fencing-pending = en attente
fencing-none = rien à faire
fencing-off-means = Un nœud perdu n'est pas éteint ; ses VIP sont reprises ailleurs après { $delay }.
fencing-off-next = Quorum et durée de vie des adresses protègent des doublons.
section-events = Événements
section-chain = Enchaînement
events-some = { $shown } sur { $total }
events-warn = à surveiller et graves
events-bad = graves
key-only = genre
key-worse = gravité
events-following = suivi
events-count = { $count ->
        [one] { $count } événement
       *[other] { $count } événements
    }
no-events = Rien ne s'est passé.
section-targets = Modules
logs-looking = relecture, Échap pour suivre
logs-marked = « { $filter } » surligné
details-check = Contrôle { $name }
pair-version = Version
pair-state-version = Configuration
state-version = { $epoch }.{ $version } ({ $hash })
pair-kind = Type
pair-service = Service
pair-on-nodes = Par nœud
on-node = { $node } : { $state }
pair-error = Erreur
pair-backend = WireGuard
mesh-here-up = actif
mesh-here-down = arrêté
graph-rtt = Latence
graph-loss = Perte
format-short-seconds = { $n }s

## Tableau de bord : événements

kind-cluster = cluster
kind-node = nœud
kind-vip = VIP
kind-service = service
kind-check = contrôle
kind-mesh = maillage
kind-fencing = fencing
event-link-lost = Connexion au démon perdue.
event-link-back = Connexion au démon rétablie.
event-node-added = { $node } est entré dans le cluster.
event-node-removed = { $node } a été retiré du cluster.
event-node-lost = { $node } ne répond plus.
event-node-back = { $node } est de retour.
event-daemon-lost = Le démon de { $node } s'est tu.
event-daemon-back = Le démon de { $node } est de retour.
event-standby = { $node } est mis en veille.
event-unstandby = { $node } est remis en service.
event-quorum = Le quorum est atteint.
event-no-quorum = Le quorum est perdu.
event-leader = { $node } est le nouveau leader.
event-no-leader = Il n'y a plus de leader.
event-maintenance-on = Maintenance activée.
event-maintenance-off = Maintenance terminée.
event-fencing = Fencing de { $node } demandé.
event-fencing-begun = { $node } est en train d'être éteint par { $level }.
event-fencing-try-failed = Essai manqué d'éteindre { $node } par { $level } : { $why }.
event-fencing-failed = Rien n'a pu éteindre { $node } : { $why }.
event-fencing-held = Fencing de { $node } retenu : { $why ->
        [too-soon] éteint il y a peu
        [maintenance] maintenance
        [no-driver] rien ne peut l'éteindre
       *[other] raison inconnue
    }.
event-fencing-storm = Trop de fencings en cinq minutes : celui de { $node } attend.
event-fencing-confirmed = { $node } est tenu pour éteint, sur la parole de { $by }.
event-fencing-handed-over = { $to } poursuit le fencing de { $node }.
event-fencing-over = Fencing de { $node } terminé.
event-unfence-begun = { $node } va être allumé, à la demande de { $by }.
event-unfence-done = { $node } a été allumé.
event-unfence-failed = { $node } n'a pas pu être allumé : { $why }.
event-fencing-test-failed = { $level } ne pourrait pas éteindre { $node } : { $why }.
event-fencing-test-good = { $level } pourrait de nouveau éteindre { $node }.
event-vip-added = VIP { $name } ajoutée.
event-vip-removed = VIP { $name } supprimée.
event-vip-problem = VIP { $name } : { $why }.
event-vip-active = VIP { $name } active sur { $node }.
event-check-bad = Contrôle { $name } en échec.
event-check-good = Contrôle { $name } de nouveau bon.
event-service-added = Service { $name } ajouté.
event-service-removed = Service { $name } retiré.
event-peer-stale = { $node } est muet dans le maillage.
event-peer-connected = { $node } répond de nouveau dans le maillage.
event-peer-path = Chemin vers { $node } : { $path }.
event-peer-key = { $node } a une nouvelle clé.
event-daemon-started = Le démon de { $node } a démarré.
event-corosync-lost = { $node } n'atteint plus Corosync.
event-corosync-back = { $node } atteint de nouveau Corosync.
event-config-changed = La configuration du cluster a changé (version { $version }).
event-vip-lost = { $node ->
        [no-value] VIP { $name } perdue.
       *[other] VIP { $name } perdue par { $node }.
    }
event-vip-moved = VIP { $name } passée de { $from } à { $to }.
event-vip-conflict = VIP { $name } : { $by } a la même adresse.
event-vip-conflict-over = VIP { $name } : plus personne d'autre n'a cette adresse.
event-service-started = Service { $name } démarré sur { $node }.
event-service-moved = Service { $name } passé de { $from } à { $to }.
event-service-stopped = { $node ->
        [no-value] Service { $name } arrêté.
       *[other] Service { $name } arrêté sur { $node }.
    }
event-service-failed = { $node ->
        [no-value] Service { $name } en échec.
       *[other] Service { $name } en échec sur { $node }.
    }
event-link-down = Le lien { $link } n'atteint plus { $node }.
event-link-up = Le lien { $link } atteint de nouveau { $node }.
event-other = Événement d'une version plus récente.
happened-unserved = sans réponse pendant { $time }
happened-stopped = arrêté pendant { $time }
happened-after = après { $time }
no-history = Il ne s'est rien passé.
history-dropped = { $count ->
        [one] { $count } changement trop rapide n'a pas été retenu.
       *[other] { $count } changements trop rapides n'ont pas été retenus.
    }
events-lost = Connexion au démon perdue ; attente de son retour.
check-cluster = cluster { $cluster } : { $text }

## Tableau de bord : pourquoi

why = Pourquoi
why-holder = { $node } la tient ; rien n'est déplacé sans raison.
why-runs = Il tourne sur { $node } ; rien n'est déplacé sans raison.
why-node = { $node } ({ $why })
why-not = Ne peuvent pas prendre le relais : { $nodes }.
why-maintenance = Maintenance : rien n'est déplacé.
why-problem = Dernière tentative : { $why }.
why-waits = Son nœud est perdu ; le suivant attend d'être certain qu'il a lâché l'adresse.
why-waits-fencing = Son nœud est perdu ; le suivant attend que le fencing l'ait éteint.
why-no-quorum = Sans quorum, aucun nœud ne tient d'adresse.
why-nobody = Aucun nœud ne peut la prendre.
why-releasing = Son nœud la lâche, le suivant la prend ensuite.
why-acquiring = Le nouveau nœud la prend.
why-failed = Le nœud choisi n'arrive pas à poser l'adresse.
why-conflict = Une autre machine du réseau a déjà cette adresse.
why-conflict-by = Une autre machine du réseau, { $by }, a déjà cette adresse.
why-unhealthy = Son contrôle de santé est en échec.
why-elsewhere = Quelqu'un d'autre le fait tourner sur { $nodes }.
why-failures = { $count ->
        [one] { $count } échec compté.
       *[other] { $count } échecs comptés.
    }
why-fencing = Son fencing n'est pas terminé.
why-offline = Corosync ne le voit plus.
why-no-daemon = Corosync le voit, son démon sfhad ne répond pas.
why-standby = Mis en veille par un opérateur : il ne prend rien.
why-event = { $time } : { $text }

## Tableau de bord : assistants

menu-title = Que faire ?
menu-running = en cours
menu-failed = échec
menu-begun = commencé
stage-form = Saisie
stage-review = Vérification
stage-running = Exécution
stage-done = Résultat
wizard-plan = Ce qui va se passer
wizard-running = En cours depuis { $age }. On peut quitter cet écran, cela continue.
confirm-type = Pour confirmer, tapez { $name } :
unconfigured-wizards = créer un cluster ou en rejoindre un, pas à pas
wizard-init = Créer un cluster
wizard-join = Rejoindre un cluster
wizard-token = Inviter un nœud
wizard-peer-add = Ajouter un pair hors cluster
wizard-remove = Retirer un nœud ou un pair
wizard-rotate = Changer les clés
wizard-failover = Basculer
wizard-standby = Mettre un nœud en veille
wizard-unstandby = Remettre un nœud en service
wizard-maintenance-on = Commencer une maintenance
wizard-maintenance-off = Terminer la maintenance
wizard-vip-add = Ajouter une VIP
wizard-service-add = Confier un service
wizard-service-remove = Retirer un service
wizard-vip-remove = Supprimer une VIP
about-init = Ce nœud devient le premier d'un nouveau cluster ; les autres le rejoignent ensuite avec un jeton.
about-join = Ce nœud entre dans un cluster existant, avec un jeton créé sur un de ses membres.
about-token = Un jeton fait entrer un seul nœud dans le cluster, une seule fois, avant son expiration.
about-peer-add = Une machine qui n'est pas un nœud (poste d'administration, sonde) entre dans le maillage WireGuard.
about-remove = Le nœud ou le pair sort du cluster et du maillage, pour de bon.
about-rotate = Chaque nœud reçoit une nouvelle clé WireGuard. Le trafic ne s'interrompt pas ; interrompu, le changement reprend où il en était.
about-failover = VIP et services passent à un seul nœud : celui que vous choisissez, ou le mieux placé.
about-standby = Le nœud lâche ce qu'il tient et ne prend plus rien, jusqu'à sa remise en service. Il garde son vote.
about-unstandby = Le nœud peut de nouveau tenir des VIP et des services.
about-maintenance-on = sfha ne touche plus à rien sur tout le cluster, pendant que vous travaillez.
about-maintenance-off = sfha reprend la main.
about-vip-add = Une adresse que le cluster garde toujours active sur un nœud, et un seul.
about-service-add = Une unité systemd que le cluster fait tourner sur un nœud, et un seul.
about-service-remove = Le cluster ne s'occupe plus de cette unité.
about-vip-remove = L'adresse disparaît du cluster.
plan-init = Le cluster { $cluster } est créé avec ce seul nœud, et Corosync démarre.
plan-init-mesh = Le maillage WireGuard est créé ; ce nœud y a l'adresse { $ip }.
plan-init-lan = Pas de maillage : les nœuds se parlent par le réseau local.
plan-enable = sfha démarrera avec la machine.
plan-join = Le tunnel est établi, les membres admettent ce nœud, Corosync démarre, l'état arrive.
plan-token = Un jeton est créé ; il expire dans { $time }.
plan-token-secret = Qui a le jeton peut entrer : ne le passez que par un canal sûr.
plan-peer-add = { $name } ({ $ip }) est connu de tous les nœuds ; il ne vote pas et ne tient rien.
plan-vip-add = { $address } est posée sur un nœud dès que tous ont enregistré la demande.
plan-service-add = { $unit } démarre sur un nœud ; les autres l'arrêtent.
plan-service-unit = { $unit } doit être installée sur chaque nœud, et ne pas démarrer avec la machine.
plan-service-remove = { $name } est arrêté et ne redémarre nulle part.
plan-vip-remove = { $address } cesse de répondre, sur tous les nœuds.
plan-remove-node = { $node } perd ses clés et sa configuration ; il ne revient qu'avec un nouveau jeton.
plan-remove-peer = { $name } ne joint plus personne dans le maillage.
plan-remove-away = { $node } est injoignable : éteignez-le d'abord, il pourrait encore tenir des adresses.
plan-remove-votes = { $count ->
        [one] Il reste { $count } vote
       *[other] Il reste { $count } votes
    }, il en faudra { $needed }.
plan-rotate-one = { $node } change de clé.
plan-rotate-all = Tous les nœuds changent de clé, l'un après l'autre ; tous doivent être là.
plan-rotate-steps = Pour chacun : nouvelle clé annoncée à tous, passage, oubli de l'ancienne.
plan-rotate-resumes = { $node } est au milieu d'un changement : il sera terminé.
plan-asked = Le simulateur calcule ce qui bougera.
plan-unknown = Ce qui bougera n'est pas connu : { $why }
plan-no-answer = le simulateur ne répond pas.
plan-refused = Ce sera refusé : { $why }
plan-nothing = Rien ne bouge.
plan-nothing-else = Rien d'autre ne bouge.
plan-and-more = { $names } et { $more } autres
plan-moves = { $count ->
        [one] { $count } ressource passe de { $from } à { $to }
       *[other] { $count } ressources passent de { $from } à { $to }
    } en { $time } au plus : { $names }.
plan-moves-many = { $count ->
        [one] { $count } ressource change de nœud
       *[other] { $count } ressources changent de nœud
    } en { $time } au plus, vers { $nodes }.
plan-more = { $count ->
        [one] { $count } autre ressource change aussi.
       *[other] { $count } autres ressources changent aussi.
    }
plan-placed = { $count ->
        [one] { $count } ressource sera servie par { $to }
       *[other] { $count } ressources seront servies par { $to }
    } en { $time } au plus : { $names }.
plan-interrupted = { $count ->
        [one] { $count } ressource est interrompue puis reprise sur { $node }
       *[other] { $count } ressources sont interrompues puis reprises sur { $node }
    } en { $time } au plus : { $names }.
plan-homeless = Plus servi nulle part : { $names } ; { $why }
plan-leader = { $node } devient le leader.
plan-no-quorum = Il n'y aura plus de quorum.
plan-standby = { $node } reste membre et ne prend plus rien.
plan-unstandby = { $node } peut de nouveau prendre ce qu'on lui confie.
plan-maintenance-on = Si un nœud tombe, ses adresses ne sont pas reprises.
plan-maintenance-off = Ce qui aurait dû bouger bouge maintenant.
field-cluster = Nom du cluster
field-node-name = Nom de ce nœud
field-mesh-cidr = Adresse de maillage
field-endpoint = Joignable à
field-profile = Réglage
field-token = Jeton
field-expires = Expire dans
field-mesh-ip = Adresse
field-name = Nom
field-key = Clé publique
field-vip-cidr = Adresse
field-interface = Interface
field-unit = Unité systemd
field-critical = En cas de panne
field-service = Service
critical-yes = passe sur un autre nœud
critical-no = reste sur son nœud
field-vip = VIP
field-to = Vers
field-node-or-peer = Nœud ou pair
field-node = Nœud
hint-cluster = Le même pour tous les nœuds, par exemple prod.
hint-node-name = Vide : le nom d'hôte.
hint-mesh-cidr = Avec le préfixe du réseau privé du maillage. Vide : sans maillage.
hint-init-endpoint = HÔTE ou HÔTE:PORT où les autres joignent ce nœud. Vide : détecté.
hint-join-endpoint = HÔTE ou HÔTE:PORT. Vide : l'adresse que voit le cluster.
hint-peer-endpoint = HÔTE ou HÔTE:PORT où le joindre. Vide : c'est lui qui appelle.
hint-profile = Flèches ← → pour choisir. Détection plus rapide, ou plus tolérante.
hint-token = Commence par sfha-join:// ; il n'est pas affiché.
hint-expires = Comme 15min, 1h ou 2days.
hint-token-ip = Adresse du futur nœud dans le maillage. Vide : la première libre.
hint-peer-name = Un nom qui ne sert pas encore.
hint-peer-ip = Son adresse dans le réseau du maillage.
hint-key = Sa clé publique WireGuard, 44 caractères.
hint-vip-name = Un nom court, par exemple web.
hint-vip-cidr = Adresse et préfixe, comme 192.0.2.80/24.
hint-service-name = Un nom court, par exemple web.
hint-unit = Comme nginx.service ; sans suffixe, .service est ajouté.
hint-critical = Flèches ← → pour choisir. Elle est d'abord relancée sur place.
hint-interface = Vide : celle dont le réseau contient l'adresse.
hint-choice = Flèches ← → pour choisir.
profile-lan = lan, réseau local
profile-fast = fast, détection rapide
profile-wan = wan, réseau lent ou lointain
choice-all-nodes = tous les nœuds
choice-best = le mieux placé
wrong-empty = Ce champ ne peut pas rester vide.
wrong-name = Lettres sans accent, chiffres, point, tiret ; 63 au plus, pas de tiret au début.
wrong-taken = C'est déjà pris.
wrong-network = Cette adresse n'est pas dans le réseau { $network }.
wrong-unit = Le nom d'une unité n'a ni espace ni barre oblique.
wrong-key = Une clé WireGuard est faite de 44 caractères en base64.
wrong-endpoint = Un nom ou une adresse est attendu, avec ou sans port.
wrong-token = Un jeton commence par sfha-join://.
done-init-next = Étape suivante : inviter un autre nœud (w, « Inviter un nœud »).
token-on-new-node = Sur le nouveau nœud, en root : sfha join, puis collez ce jeton :
token-copied = Copié dans le presse-papiers si le terminal le permet (OSC 52).
token-line = Jeton { $id }, { $ip ->
        [no-value] { "" }
       *[other] adresse { $ip }, { "" }
    }expiration { $expires }
token-used-by = Utilisé par { $node }.
token-not-yet = pas encore dans le cluster
token-joiner = { $node } : { $state }
token-path = Chemin dans le maillage : { $state }
token-has-expired = Expiré sans avoir servi.
token-waiting = En attente du nouveau nœud… On peut quitter cet écran.
phase-prepare = annoncée
phase-commit = en service
phase-cleanup = ancienne oubliée
notice-not-now = Rien à faire de ce côté pour l'instant.
notice-arrived = { $node } est entré avec son jeton.
notice-copied = Jeton envoyé au presse-papiers du terminal.
notice-failed-aside = { $title } : échec (w pour voir).

## Tableau de bord : touches

key-menu = agir
key-search = chercher
key-sort = trier
key-reverse = inverser le tri
key-pane = pair ou matrice
key-token = inviter
key-remove = retirer
key-vip-add = ajouter
key-failover = basculer
key-target = choisir un module
key-level-less = moins
key-level-more = plus
key-focus = ce module
key-targets = modules
key-off-targets = cacher les modules éteints
key-follow = suivre la fin
key-previous-view = vue précédente
key-mesh = le maillage
key-resources = les ressources
key-nodes = les nœuds
key-fencing = le fencing
key-events = les événements
key-theme = autres couleurs
key-begin = commencer
key-keep = garder
key-next = continuer
key-field-before = champ précédent
key-field-after = champ suivant
key-leave = quitter l'écran
key-copy = copier
key-close-or-mend = fermer ou corriger
key-name-space = Espace
key-name-left = Gauche
key-name-right = Droite
key-name-back-tab = Maj-Tab
arg-theme = Couleurs du tableau de bord : { $names } [défaut : selon le terminal ; SFHA_THEME compte aussi]
value-theme = THÈME

## sfha doctor

cmd-doctor = Chercher ce qui ne va pas sur ce nœud, avec ou sans démon
doctor-head = { $node ->
        [no-value] Ce nœud n'a pas de cluster
       *[other] { $node }
    } ; sfha { $version }
doctor-well = Tout va bien.
doctor-sum = { $errors ->
        [0] Aucune erreur
        [one] { $errors } erreur
       *[other] { $errors } erreurs
    }, { $warnings ->
        [0] aucun avertissement
        [one] { $warnings } avertissement
       *[other] { $warnings } avertissements
    }.
doctor-strange = La réponse de sfhad doctor ne se lit pas.
doctor-strange-next = sfha et sfhad viennent du même paquet : réinstallez-le.
doctor-fence-tested = { $count ->
        [one] { $count } moyen d'éteindre un nœud répond.
       *[other] { $count } moyens d'éteindre des nœuds répondent.
    }
doctor-fence-nobody = Rien ne pourrait éteindre { $node }.
    .why = S'il est perdu, ce qu'il a ne bouge qu'après « sfha stonith confirm ».
    .next = Donnez-lui un niveau : stonith.levels, ou stonith.nodes.{ $node } dans config.yml.
doctor-fence-fails = { $level } ne pourrait pas éteindre { $node } d'ici : { $error }
    .why = Le jour où il sera perdu, son fencing échouera de même.
    .next = Corrigez, puis : sfha stonith test { $node }
doctor-fence-certificate = Le certificat de { $endpoint } est encore valable { $days ->
        [one] { $days } jour.
       *[other] { $days } jours.
    }
doctor-fence-certificate-ends = { $days ->
        [0] Le certificat de { $endpoint } expire aujourd'hui, ou a expiré.
        [one] Le certificat de { $endpoint } expire dans { $days } jour.
       *[other] Le certificat de { $endpoint } expire dans { $days } jours.
    }
    .why = Renouvelé, il a une autre empreinte ; là où elle est inscrite, le fencing échoue dès ce moment.
    .next = Renouvelez-le maintenant, puis inscrivez sa nouvelle empreinte dans config.yml ; ca_file vous en dispense.
doctor-fence-watchdog = Watchdog { $path }, délai { $seconds } s.
doctor-fence-watchdog-missing = Le watchdog { $path } n'est pas là.
    .why = Les autres nœuds ne comptent pas dessus : la perte de ce nœud attend alors un autre niveau, ou vous.
    .next = Chargez son pilote (softdog, i6300esb…), ou nommez un autre périphérique : stonith.watchdog.device
doctor-fence-watchdog-fails = Le watchdog { $path } ne tourne pas : { $error }
    .why = Les autres nœuds ne comptent pas dessus : la perte de ce nœud attend alors un autre niveau, ou vous.
    .next = Voyez qui le tient : wdctl
doctor-fence-watchdog-short = Le watchdog réinitialise cette machine au bout de { $seconds } s, moins de { $least } s.
    .why = Un démon simplement mort emporterait la machine : systemd met jusqu'à 5 s à s'en apercevoir.
    .next = stonith.watchdog.timeout : { $least } s ou plus
doctor-unknown = Un constat que cette version de sfha ne connaît pas.
doctor-not-root = Sans les droits de root, les clés, l'état et le pare-feu ne se voient pas.
    .next = sudo sfha doctor
doctor-corosync = Corosync { $version }.
doctor-corosync-missing = Corosync n'est pas installé ({ $program }).
    .why = C'est lui qui dit quels nœuds sont là et s'ils ont le quorum.
    .next = apt install corosync
doctor-corosync-old = Corosync { $version } est plus ancien que { $wanted }, avec lequel sfha est essayé.
    .why = Les liens knet et le retrait de nœuds à chaud y ont des défauts corrigés depuis.
    .next = Mettez le système à jour.
doctor-kernel = Noyau { $version } ; il marque les adresses de sfha.
doctor-kernel-untagged = Noyau { $version } ; il ne marque pas les adresses, sfha tient une liste dans /run/sfha.
doctor-wireguard-kernel = WireGuard tourne dans le noyau.
doctor-wireguard-userspace = Le noyau n'a pas WireGuard ; sfha-wg le remplace, plus lentement.
doctor-wireguard-none = Ni WireGuard dans le noyau, ni /dev/net/tun pour sfha-wg.
    .why = Sans l'un des deux, ce nœud ne peut pas avoir de maillage.
    .next = Installez un noyau qui a WireGuard, ou rendez /dev/net/tun visible (dans un conteneur : côté hôte).
doctor-files = { $count ->
        [one] { $count } fichier à sa place, avec les bons droits.
       *[other] { $count } fichiers à leur place, avec les bons droits.
    }
doctor-file-open = { $path } a les droits { $mode }.
    .why = D'autres que root peuvent y lire un secret ou y écrire ; le démon refuse un secret lisible par d'autres.
    .next = chmod { $wanted } { $path }
doctor-file-owner = { $path } appartient à l'utilisateur { $user }, pas à root.
    .why = Ce compte peut changer ce que fait ce nœud.
    .next = chown root:root { $path }
doctor-file-missing = { $path } n'est pas là.
    .why = Sans ce fichier, ce nœud ne retrouve pas son cluster au prochain démarrage.
    .next = sfha restore le remet depuis une sauvegarde ; sinon sfha leave --force, puis sfha join.
doctor-config = { $path } se lit sans erreur.
doctor-config-faulty = { $path } a { $count ->
        [one] { $count } erreur.
       *[other] { $count } erreurs.
    }
    .why = Ce qu'il demande n'est pas appliqué, et il n'est plus tenu à jour.
    .next = sfha config-check les montre.
doctor-foreign-corosync-conf = { $path } n'a pas été écrit par sfha.
    .why = Un autre cluster Corosync est configuré ici ; sfha ne le remplace pas sans --force.
    .next = Vérifiez à qui il sert avant sfha init --force ou sfha join --force.
doctor-disk = { $path } : { $mebibytes } Mio libres.
doctor-disk-tight = { $path } : il ne reste que { $mebibytes } Mio.
    .why = Un nœud qui ne peut plus écrire son état refuse les changements.
    .next = Faites de la place, par exemple : journalctl --vacuum-size=200M
doctor-disk-full = { $path } : il ne reste que { $mebibytes } Mio.
    .why = L'état ne peut plus être écrit : ce nœud ne suit plus les changements du cluster.
    .next = Faites de la place tout de suite, par exemple : journalctl --vacuum-size=200M
doctor-disk-read-only = { $path } est en lecture seule.
    .why = L'état ne peut plus être écrit ; un disque qui passe en lecture seule est souvent un disque qui meurt.
    .next = dmesg en donne la raison ; ensuite mount -o remount,rw, ou remplacez le disque.
doctor-units = Les unités systemd sont comme il faut.
doctor-no-systemd = systemd ne répond pas : { $cause }.
    .next = systemctl status dbus
doctor-unit-failed = { $unit } est en échec.
    .why = systemd a renoncé à la relancer.
    .next = journalctl -u { $unit } -n 50 en dit la raison ; ensuite systemctl restart { $unit }
doctor-unit-stopped = { $unit } ne tourne pas.
    .why = Ce nœud ne compte pas dans le cluster et ne tient rien.
    .next = systemctl start sfha (le démon démarre Corosync lui-même), puis sfha logs
doctor-not-at-boot = sfha.service ne démarre pas avec la machine.
    .why = Après un redémarrage, ce nœud ne reviendrait pas dans le cluster.
    .next = systemctl enable sfha
doctor-corosync-at-boot = corosync.service démarre avec la machine.
    .why = Son adresse n'existe qu'une fois le maillage debout : il échouerait ; le démon le démarre au bon moment.
    .next = systemctl disable corosync
doctor-foreign-manager = { $unit } tourne aussi.
    .why = Deux gestionnaires d'adresses ou de cluster sur une machine se contredisent.
    .next = S'il gère les mêmes adresses ou services : systemctl disable --now { $unit } (voir aussi sfha import).
doctor-networkd-keeps = systemd-networkd garde les adresses qui ne sont pas les siennes ({ $path }).
doctor-networkd-drops = systemd-networkd retire les adresses qui ne sont pas les siennes.
    .why = À chacun de ses redémarrages, une VIP tenue ici manque un instant, le temps que sfha la remette.
    .next = Dans le fichier .network de l'interface, section [Network] : KeepConfiguration=static
doctor-unconfigured = Pas encore de cluster : sfha init en crée un, sfha join en rejoint un.
doctor-daemon = Le démon répond, version { $version }.
doctor-daemon-silent = Le démon ne répond pas sur { $socket }.
    .why = Sans lui ce nœud ne tient ni VIP ni service.
    .next = systemctl start sfha, puis sfha logs
doctor-daemon-old = Le démon qui tourne est de la version { $running }, les programmes installés de la { $version }.
    .why = Une mise à jour ne relance pas le démon.
    .next = Quand cela convient : systemctl try-restart sfha
doctor-quorum = Quorum : { $votes } voix, il en faut { $needed }.
doctor-no-quorum = Pas de quorum : { $votes } voix, il en faut { $needed }.
    .why = Sans majorité, ce nœud ne tient rien et ne change rien.
    .next = Démarrez les nœuds absents, ou rétablissez le réseau entre eux : sfha nodes, sfha mesh status
doctor-port-ours = Le port { $port } ({ $protocol }) est ouvert par sfha.
doctor-port-closed = Personne n'écoute sur le port { $port } ({ $protocol }).
    .why = Les autres nœuds parlent à ce port.
    .next = systemctl restart sfha, puis sfha logs
doctor-port-taken = Le port { $port } ({ $protocol }) est déjà pris.
    .why = sfha en aura besoin.
    .next = ss -lnup ou ss -lntp dit par qui ; sfha init --port en choisit un autre pour le maillage.
doctor-firewall-open = Aucun pare-feu nftables ne ferme l'entrée.
doctor-firewall-mentions = Le pare-feu ({ $chain }) ferme l'entrée, et une règle parle du port { $port } ({ $protocol }).
doctor-firewall-drops = Le pare-feu ({ $chain }) ferme l'entrée, et aucune règle ne parle du port { $port }.
    .why = Les autres nœuds ne peuvent pas appeler celui-ci.
    .next = Ouvrez { $port }/{ $protocol } ; dans le tunnel, laissez entrer tout ce qui vient de wg-sfha.
doctor-mtu = Les paquets du maillage ({ $mtu } octets) passent entiers (au moins { $least } sur les chemins).
doctor-mtu-tight = Le chemin vers { $node } ne porte que { $path_mtu } octets, trop peu pour un maillage de { $mtu }.
    .why = Les gros paquets sont fragmentés ou perdus : Corosync se resynchronise mal, les transferts se figent.
    .next = Sur tous les nœuds, mettez { $fitting } à la ligne mtu de /etc/sfha/mesh.yml, puis systemctl restart sfha
doctor-endpoint-own = Les autres joignent ce nœud sur { $endpoint }, une adresse à lui.
doctor-endpoint-nat = Les autres joignent ce nœud sur { $endpoint }, l'adresse d'un routeur (NAT), qui doit renvoyer le port UDP { $port } ici.
doctor-endpoint-none = Ce nœud n'a pas d'adresse où l'appeler : c'est lui qui appelle les autres.
doctor-paths-direct = { $count ->
        [one] { $count } nœud joint directement.
       *[other] { $count } nœuds joints directement.
    }
doctor-path-relayed = { $node } n'est joint qu'à travers { $via }.
    .why = Aucun chemin direct ne répond : pare-feu, NAT des deux côtés, ou mauvaise adresse.
    .next = Ouvrez ou renvoyez le port UDP sur l'un des deux nœuds ; sfha mesh status dit ce qui manque.
doctor-path-lost = { $node } n'est pas joint.
    .why = Éteint, coupé, ou injoignable sur toutes les adresses connues.
    .next = sfha mesh status ; sur { $node } : sfha doctor
doctor-latency = Le réseau suit : { $milliseconds } ms d'aller-retour au pire, pour un token de { $token } ms.
doctor-latency-high = { $milliseconds } ms d'aller-retour avec { $node } : beaucoup pour un token de { $token } ms (profil { $profile }).
    .why = Un à-coup du réseau peut faire croire à la perte d'un nœud.
    .next = Un cluster entre sites se crée avec sfha init --profile wan.
doctor-loss = { $percent } % des paquets vers { $node } se perdent.
    .why = Corosync les répète, et finit par croire le nœud perdu.
    .next = Cherchez la cause sous le tunnel : lien saturé, MTU, câble, hôte surchargé.
doctor-clock = L'horloge est tenue à l'heure.
doctor-clock-alone = Personne ne tient l'horloge à l'heure.
    .why = WireGuard refuse un nœud dont l'heure recule ; jetons, maintenances et journaux dépendent de l'heure.
    .next = apt install chrony, ou timedatectl set-ntp true
doctor-clocks-agree = { $count ->
        [one] { $count } autre nœud a la même heure.
       *[other] { $count } autres nœuds ont la même heure.
    }
doctor-clock-skew = L'horloge de { $node } diffère de celle d'ici : { $seconds } s.
    .why = Les jetons expirent trop tôt ou trop tard, et les journaux ne se comparent plus.
    .next = Sur les deux nœuds : timedatectl

## Fencing

fencing-suspected = perdu
fencing-delayed = bientôt éteint
fencing-fencing = extinction
fencing-verifying = vérification
fencing-fenced = inoffensif
fencing-failed = échec
fencing-unknown = inconnu
held-storm = retenu : trop de fencings en cinq minutes
held-too-soon = retenu : éteint il y a un instant
held-maintenance = retenu : la maintenance est active
held-no-driver = retenu : rien ne sait l'éteindre
held-unknown = retenu
power-on = allumé
power-off = éteint
power-unknown = on ne sait pas
cause-lost = perdu de vue
cause-unseen = jamais vu depuis que ce côté a le quorum
cause-requested = à la demande
cause-stop-failed = quelque chose ne s'y arrête pas
cause-unknown = raison inconnue
proof-off = vu éteint par { $level }
proof-answer = éteint d'après { $level }
proof-confirmed = confirmé à la main
proof-watchdog = son watchdog l'a forcément réinitialisé
proof-unknown = preuve inconnue
fencing-try = par { $level }, essai { $attempt }
fencing-by-whom = par { $by }
fencing-attempt = essai { $attempt }
fencing-why = « { $why } »
fencing-next = suite dans { $time }
fencing-watchdog = son watchdog agit d'ici { $time }
fencing-switching-on = on l'allume
fencing-excused = parti dans les formes
happened-suspected = à éteindre
happened-held = retenu
happened-begun = extinction commencée
happened-try-failed = essai manqué
happened-failed = tous les niveaux ont échoué
happened-handed-over = poursuivi par { $actor }
happened-fenced = inoffensif
happened-returned = de nouveau membre
happened-switch-on = à allumer
happened-switched-on = allumé
happened-switch-on-failed = impossible à allumer
storm = { $begun } sur { $limit } en cinq minutes
watchdog-runs = { $device }, délai { $time }
watchdog-resets = { $device } n'est plus nourri : ce nœud se réinitialise dans { $time }
watchdog-rests = { $device } ne tourne pas
fencing-alert = { $node } ne pourrait pas être éteint par { $level }, essayé par { $by } : { $why }
stonith-on = Le fencing est actif.
stonith-off = Le fencing est inactif.
stonith-off-next = Pour le mettre en place : sfha stonith setup
stonith-dry-run = Le fencing est à blanc : tout est décidé, rien n'est éteint.
stonith-test-failed = { $count ->
    [one] { $count } essai a échoué.
   *[other] { $count } essais ont échoué.
}
setup-failed-next = Rien n'a été écrit. Corrigez et recommencez, ou écrivez quand même : --force
stonith-test-failed-next = Corrigez, puis : sfha stonith test
stonith-nothing-to-test = Rien à essayer : aucun pilote n'est configuré.
no-stonith-history = Aucun fencing jusqu'ici.
fact-levels = Niveaux
fact-storm = Rafale
fact-watchdog = Watchdog
col-levels = NIVEAUX
col-level = NIVEAU
col-detail = DÉTAIL
col-when = QUAND
col-what = QUOI
plan = { $node } serait éteint par { $actor }, avec { $levels }, après { $delay }.
plan-nobody = Rien ni personne ne pourrait éteindre { $node }.
plan-held = { $why }.
done-fence = { $node } est inoffensif ({ $how }).
done-unfence = { $node } va être allumé ; voyez « sfha stonith status ».
done-stonith-confirm = { $node } est tenu pour éteint ; ce qu'il avait est repris maintenant.
ask-fence = Éteindre le nœud { $node }, brutalement ? Ce qui y tourne est perdu.
ask-unfence = Allumer le nœud { $node } ?
ask-stonith-confirm =
    Vous répondez de ce que { $node } est éteint. S'il vit encore, une adresse peut se retrouver
    sur deux machines, et des données être abîmées. Ne le confirmez que si vous l'avez vu éteint, de vos yeux.
ask-again = Cette réponse ne convient pas.
ask-typed = Pour confirmer, tapez le nom du nœud ({ $name }) :
cmd-stonith = Le fencing : éteindre un nœud qui n'est plus digne de confiance
cmd-stonith-status = Montrer où en est le fencing
cmd-stonith-fence = Éteindre un nœud, et s'assurer qu'il l'est
cmd-stonith-unfence = Allumer un nœud
cmd-stonith-confirm = Répondre de ce qu'un nœud est éteint (seulement après l'avoir vu)
cmd-stonith-history = Ce qui s'est passé
cmd-stonith-test = Essayer les pilotes, sans rien éteindre
cmd-stonith-setup = Mettre en place le fencing : questions, essai sans extinction, écriture
arg-stonith-node = Nom du nœud
arg-stonith-reason = Pourquoi vous en êtes sûr : gardé dans l'historique
arg-stonith-dry-run = Dire seulement ce qui serait fait
arg-stonith-limit = Au plus tant de lignes, les dernières
arg-setup-provider = proxmox, webhook, watchdog, ou un agent comme fence_ipmilan
arg-setup-url = API de Proxmox (plusieurs fois possible), ou URL du webhook qui éteint
arg-setup-unfence-url = URL du webhook qui allume
arg-setup-status-url = URL du webhook qui dit si un nœud est allumé
arg-setup-token-id = Jeton de Proxmox, comme { $example }
arg-setup-secret-file = Fichier du secret (du jeton, des en-têtes, des paramètres) ; « - » : entrée standard
arg-setup-fingerprint = Empreinte SHA-256 du certificat
arg-setup-ca-file = Fichier des autorités de confiance
arg-setup-option = Paramètre de l'agent, sans secret
arg-setup-node = Un nœud : qemu/101 ou lxc/101 chez Proxmox, sa prise ou ses paramètres pour un agent
arg-setup-add = S'ajoute aux niveaux d'avant au lieu de les remplacer
arg-setup-force = Écrire même si l'essai échoue
arg-setup-dry-run = Essayer seulement, ne rien écrire
setup-missing = Il manque { $option }.
setup-next = Sur un terminal, « sfha stonith setup » demande ce qui manque ; voyez aussi « sfha stonith setup --help ».
setup-providers = proxmox : un cluster Proxmox VE. webhook : une URL. fence_… : un agent. watchdog : le nœud se réinitialise lui-même.
setup-provider = Avec quoi éteindre les nœuds ?
setup-proxmox-url = URL de l'API de Proxmox (https://HÔTE:8006) :
setup-token-id = Jeton ({ $example }) :
setup-fingerprint = Empreinte SHA-256 du certificat (vide : celle qu'il montre, à comparer) :
setup-fence-url = URL qui éteint (le nœud y est { $node }) :
setup-status-url = URL qui dit s'il est allumé (vide : aucune) :
setup-options = Paramètres de l'agent, NOM=VALEUR, séparés par des espaces :
setup-guest = Machine de { $node } (qemu/ID ou lxc/ID ; vide : aucune) :
setup-plug = Prise ou paramètres de { $node } (vide : aucun) :
setup-secret = Secret (vide : il est déjà dans son fichier) :
setup-certificate =
    Le certificat de { $endpoint } n'est signé par aucune autorité connue de ce système.
    Son empreinte SHA-256 :
      { $fingerprint }
    Sur cet hôte, « pvenode cert info » montre la vraie (pve-ssl.pem). Est-ce la même ?
setup-plan = Ce qui sera écrit :
setup-plan-level = Les nœuds sont éteints par : { $levels }
setup-plan-node = { $node } : { $how }
setup-plan-trust = Certificat : { $trust ->
        [fingerprint] celui de cette empreinte
        [authority] signé par l'autorité donnée
       *[system] signé par une autorité de ce système
    }
setup-plan-secret = Secret : { $path } (mode 600), sur ce nœud
setup-write = Écrire ces réglages pour tout le cluster ?
setup-tested = Essai terminé, rien n'a été écrit.
setup-done = Le fencing est en place sur tous les nœuds.
setup-other-nodes = Le secret n'est que sur ce nœud : copiez { $path } (mode 600) sur chacun des autres, puis « sfha stonith test » sur chacun.
concern-fencing-failed = Fencing impossible : { $names }. Éteignez à la main, puis : sfha stonith confirm NŒUD
concern-fencing-storm = Trop de fencings en cinq minutes : les suivants attendent.
concern-fencing-alert = Le fencing de { $names } ne marcherait pas ; voyez « sfha stonith status ».
concern-fencing-dry-run = Le fencing est à blanc : rien ne serait éteint.
concern-watchdog = Ce nœud se réinitialise dans { $time } : son watchdog n'est plus nourri.
wizard-setup = Mettre en place le fencing
about-setup = Qui éteint un nœud perdu ? Tout est essayé, sans rien éteindre, avant d'être écrit.
provider-proxmox = Proxmox VE
provider-webhook = Webhook (une URL)
provider-agent = Agent fence_…
provider-watchdog = Watchdog seul
field-provider = Moyen
field-api-url = URL de l'API
field-token-id = Jeton
field-secret = Secret
field-fingerprint = Empreinte
field-fence-url = URL qui éteint
field-status-url = URL d'état
field-unfence-url = URL qui allume
field-program = Agent
field-options = Paramètres
hint-api-url = https://HÔTE:8006 ; pas une VIP de ce cluster.
hint-token-id = Utilisateur, royaume et nom, comme { $example }.
hint-secret = Celui du jeton. Vide : il est déjà dans son fichier.
hint-secret-headers = Un en-tête secret : son nom, deux points, sa valeur. Vide : aucun.
hint-secret-options = Paramètres secrets, « nom=valeur ». Vide : aucun.
hint-fingerprint = SHA-256 du certificat. Vide : celle qu'il montre, à comparer.
hint-fingerprint-found = Aucune autorité ne garantit le certificat de { $endpoint }. Comparez avec « pvenode cert info » sur cet hôte, puis continuez : { $fingerprint }
hint-fence-url = { $node } y tient la place du nom du nœud.
hint-status-url = Répond « on » ou « off ». Sans elle, rien ne montre qu'un nœud est éteint.
hint-unfence-url = Facultative.
hint-program = Un programme de fence-agents, comme fence_ipmilan.
hint-options = NOM=VALEUR, séparés par des espaces, sans secret.
hint-guest = Machine de ce nœud : qemu/101 ou lxc/101.
hint-plug = Prise de ce nœud, ou NOM=VALEUR.
wrong-https = L'API se joint en https://
wrong-url = Une URL commence par https:// ou http://
wrong-token-id = Un jeton s'écrit comme { $example }.
wrong-fingerprint = Une empreinte SHA-256 a 64 chiffres hexadécimaux.
wrong-program = Le nom d'un agent commence par fence_.
wrong-guest = qemu/ ou lxc/, puis le numéro de la machine.
plan-setup-test = { $node } répond par { $level } : { $power }.
plan-setup = Dès lors, rien ne bouge avant qu'un nœud perdu ne soit éteint.
setup-failed = { $node } par { $level } : { $why }
setup-mend = Rien n'a été écrit. Entrée revient aux réponses ; pour écrire quand même : sfha stonith setup --force
key-setup = mettre en place
wizard-fence = Éteindre un nœud
wizard-unfence = Allumer un nœud
wizard-confirm = Répondre de ce qu'un nœud est éteint
about-fence = Le fencing coupe l'alimentation du nœud, puis s'assure qu'il est éteint.
about-unfence = Allume un nœud qui a été éteint.
about-confirm = Quand rien n'a pu éteindre un nœud, ou s'en assurer : vous l'avez fait à la main.
plan-fence = { $node } sera éteint brutalement ({ $levels }) ; ce qui y tourne est perdu.
plan-unfence = { $node } sera allumé ({ $levels }).
plan-confirm-seen = Seulement si vous avez vu { $node } éteint, de vos yeux.
plan-confirm-twice = S'il vit encore, une adresse se retrouvera sur deux machines.
plan-confirm = Ce que { $node } avait est repris aussitôt.
done-fence-begun = { $node } va être éteint ; la vue Fencing montre la suite.
key-fence = éteindre
key-confirm-off = confirmer éteint
key-unfence = allumer
fencing-node = { $node } : { $why }

## sfha report, backup, restore, import

cmd-report = Rassembler de quoi comprendre une panne, sans secret
cmd-backup = Sauvegarder ce nœud et son cluster dans un fichier, clés comprises
cmd-restore = Remettre ce nœud depuis une sauvegarde
cmd-import = Reprendre la configuration d'un autre programme
arg-report-file = Le fichier à écrire [défaut : sfha-report-DATE.tar.gz]
arg-backup-file = Le fichier à écrire ; il ne doit pas exister
arg-restore-file = La sauvegarde
arg-restore-alone = Les autres nœuds sont perdus : continuer seul, en cluster d'un nœud
arg-import-program = De quel programme
arg-import-file = Sa configuration, par exemple /etc/keepalived/keepalived.conf
done-report = Écrit : { $path }. Relisez-le avant de l'envoyer : il contient les adresses et les noms de vos machines.
done-backup = Sauvegardé dans { $path } : { $node }, du cluster { $cluster }.
done-backup-left-out = N'y sont pas, faute d'être dans /etc/sfha : { $paths }. Gardez-les vous-même.
done-backup-secret = Ce fichier contient les clés secrètes du nœud et du cluster. Qui l'a peut entrer dans le cluster : gardez-le chiffré, ailleurs que sur ce nœud.
ask-restore = Remplacer ce que ce nœud sait de son cluster par { $path } ?
ask-restore-alone = Faire de ce nœud un cluster à lui seul, d'après { $path } ? Si un autre nœud tourne encore, les VIP seront prises deux fois.
done-restored = { $node } est remis dans le cluster { $cluster }, et le démon est lancé.
done-restored-next = Il attend les autres nœuds ; sfha status dit quand il a le quorum.
done-restored-alone = Il est seul : sfha mesh token, puis sfha join sur chaque machine qui revient, après y avoir effacé l'ancien cluster (sfha leave --force).
done-imported = { $vips ->
        [one] { $vips } VIP
       *[other] { $vips } VIP
    } et { $checks ->
        [one] { $checks } contrôle
       *[other] { $checks } contrôles
    } repris. Mettez ces sections dans /etc/sfha/config.yml, puis sfha config-check et sfha reload.
done-imported-left = Pas repris :
import-not-needed = sfha le fait de lui-même, ou autrement.
import-priority = Sur chaque nœud : node.priority dans config.yml.
import-failback = Pour tout le cluster : cluster.failback à false dans config.yml.
import-load-balancing = sfha ne répartit pas la charge ; gardez IPVS ou HAProxy, comme service du cluster.
import-routes = Les routes et les règles ne se déplacent pas avec une VIP.
import-hook = Ce qui doit s'exécuter à un changement d'état devient un service du cluster.
import-weight = Les contrôles n'ont pas de poids : celui qui échoue fait partir ce que tient le nœud.
import-include = Importez aussi ce fichier-là.
import-script-path = Il faut le chemin complet du programme.
import-unknown-script = Ce script n'est pas décrit dans ce fichier.
import-invalid = La valeur ne va pas dans un config.yml.
import-duplicate = Cette adresse, ou ce nom, est déjà là.
import-too-many = Plus qu'un cluster ne peut en avoir.
import-unknown = Inconnu ici.

## sfha simulate

cmd-simulate = Dire ce que des événements feraient, sans rien changer
value-event = ÉVÉNEMENT
arg-events = Un ou plusieurs, l'un après l'autre, chacun une fois le calme revenu
simulate-events =
    Événements :
      node-lost:NŒUD        le nœud s'éteint ou disparaît
      node-back:NŒUD        il revient, avec son démon
      daemon-dead:NŒUD      son démon meurt et ne revient pas
      quorum-lost           plus aucun nœud n'a le quorum
      standby:NŒUD, unstandby:NŒUD
      failover[:NŒUD]       tout bascule
      maintenance:on|off
      service-failed:NOM    l'unité du service meurt
      check-failed:NOM      la sonde échoue ; sans service, sur le leader
      partition:A,B/C       A et B d'un côté, C de l'autre
      vip-add:NOM=IP/PRÉFIXE, vip-remove:NOM
      service-add:NOM=UNITÉ, service-remove:NOM
      node-remove:NŒUD      il est retiré pour de bon
      fence:NŒUD            il est éteint, s'il y a un fencing
      unfence:NŒUD          il est rallumé
      confirm:NŒUD          un opérateur répond qu'il est éteint
simulate-seen = Simulation vue de { $node } : rien n'est changé. Les durées sont des maximums.
simulate-standing = Leader { $leader } ; quorum sur { $nodes }.
simulate-no-quorum = Aucun nœud n'a le quorum.
simulate-nothing = Rien ne bouge.
simulate-refused = Refusé : { $why }
simulate-unsettled = Le calme n'est pas revenu au bout d'une demi-heure.
simulate-col-from = DE
simulate-col-to = VERS
simulate-col-within = EN AU PLUS
simulate-because = { $name } : { $why }
simulate-two-holders = { $name } : sur deux nœuds à la fois, faute de fencing.
simulate-why-removed = il est retiré.
simulate-why-no-quorum = sans quorum, personne ne le tient.
simulate-why-maintenance = en maintenance, rien n'est repris.
simulate-why-no-candidate = aucun nœud ne peut le prendre.
simulate-why-stuck = le nœud qui le tient n'arrive pas à l'arrêter.
simulate-why-not-harmless = son nœud est perdu sans être mis hors d'état de nuire.
simulate-why-waits = attend { $first }.
simulate-wait-detection = détection { $time }
simulate-wait-takeover = attente du nœud perdu { $time }
simulate-wait-fencing = fencing { $time }
simulate-wait-stop = arrêt { $time }
simulate-wait-start = démarrage { $time }
simulate-wait-order = ordre { $time }
simulate-wait-agreement = accord { $time }
