# La démonstration (make demo). Le français est la source ; l'anglais le suit.

demo-title = sfha : trois serveurs, une adresse, une coupure de courant
demo-about = Montre le travail principal de sfha sur cette seule machine : trois nœuds, un maillage, une adresse qui survit à une coupure.
demo-lang = Langue : fr ou en (sinon SFHA_LANG, puis LANG)
demo-no-dashboard = Ne pas ouvrir le tableau de bord à la fin

demo-step-lab = Trois systèmes Debian démarrent sur cette machine, avec leur propre disque, leur systemd et le paquet { $package }
demo-done-lab = { $nodes } nœuds en marche, reliés par un commutateur ; un client est branché dessus ({ $time })
demo-step-init = Le premier nœud crée le cluster
demo-done-init = maillage WireGuard { $address }, Corosync et quorum en place ({ $time })
demo-step-join = { $node } rejoint le cluster, en une commande
demo-done-join = membre du quorum en { $time }, adresse { $ip } dans le maillage
demo-step-vip = Une adresse flottante, que le cluster garde sur un seul nœud
demo-done-vip = { $ip } est sur { $node } et répond au client
demo-step-cut = Coupure de courant sur { $node }, qui porte l'adresse
demo-done-cut = { $ip } répond de nouveau, depuis { $node } : silence de { $gap } vu du client
demo-cut-quorum = le cluster continue à { $votes } votes sur { $expected }
demo-step-boot = Le courant revient sur { $node }
demo-done-boot = redémarré et de nouveau membre en { $time }, sans aucune commande
demo-no-failback = l'adresse est restée sur { $node } : le retour n'a rien interrompu
demo-step-stop = Maintenance : sfha est arrêté proprement sur { $node }
demo-done-stop = { $node } a pris le relais : silence de { $gap } vu du client
demo-step-failover = Et l'adresse revient, sur ordre
demo-done-failover = { $node } la porte de nouveau : silence de { $gap } vu du client
demo-one-holder = à aucun moment deux nœuds n'ont porté l'adresse ensemble
demo-step-status = Le cluster, tel que { $node } le voit
demo-dashboard = Tableau de bord de { $node } : « q » pour le quitter, puis tout est démonté.
demo-end = Tout est démonté ; rien n'est resté sur cette machine.
demo-tearing-down = Interrompu : démontage…

demo-failed = Échec : { $what }
demo-took-too-long = { $what } : { $time }, au plus { $limit } attendu
demo-two-holders = deux nœuds ont porté { $ip } en même temps pendant { $time }
demo-moved-back = le retour de { $node } a déplacé l'adresse
