package commands

import (
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/deployment"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// utilsMaintenance is "utils system maintenance …".
type utilsMaintenance struct {
	Initiate maintenanceInitiate `cmd:"" help:"Let machines fail over gracefully and stay in maintenance."`
}

type maintenanceInitiate struct {
	procedureFlags
	Reason int `help:"Why a Router or Rogger goes into maintenance, 1 to 7."`
}

func drains(p inventory.Product) bool {
	switch p {
	case inventory.PeripheralGateway, inventory.CVPServer, inventory.IdentityService, inventory.CUICCoResident,
		inventory.Finesse, inventory.Router, inventory.Rogger:
		return true
	case inventory.CUIC, inventory.LiveData, inventory.VVB, inventory.CVPOAMP, inventory.CVPReporting,
		inventory.Distributor, inventory.Logger:
	}
	return false
}

// Run refuses where another machine of a pair is in maintenance already, or would be.
func (c maintenanceInitiate) Run(s *console.Session) error {
	w, err := c.begin(s, procedure.Maintenance)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.choose("Which of them go into maintenance", drains); err != nil {
		return err
	}
	var chosen []procedure.Chosen
	units := map[string]string{}
	for _, seen := range w.seenAll() {
		switch other := units[seen.Unit()]; {
		case seen.Facts.Maintenance:
			w.drop(seen.Name, target.Because("in_maintenance_already"))
			continue
		case !deployment.MayDrain(seen.Product, seen.Facts.Active.Level()):
			w.drop(seen.Name, target.Because("knows_no_maintenance", seen.Facts.Active.Level().String()))
			continue
		case other != "":
			return console.Refuse("both_of_a_pair", "%s and %s are of one pair or cluster: only one of them can be in "+
				"maintenance", "%s と %s は同じペアまたはクラスタです。同時にメンテナンスにできるのは 1 台だけです", other, seen.Name)
		}
		units[seen.Unit()] = seen.Name
		chosen = append(chosen, seen)
	}
	if err := w.kept(chosen, "a maintenance mode to enter"); err != nil {
		return err
	}
	if err := w.peersServe(chosen); err != nil {
		return err
	}
	if err := w.reason(c.Reason, chosen); err != nil {
		return err
	}
	if err := w.build(chosen, true); err != nil {
		return err
	}
	return w.run("The machines will hand over to the other of their pair and go into maintenance.")
}

// peersServe asks the others of each pair before anything begins; the procedure asks again.
func (w *work) peersServe(chosen []procedure.Chosen) error {
	var peers []procedure.Host
	for _, c := range chosen {
		peers = append(peers, procedure.Peers(c.Host, w.d.Hosts)...)
	}
	seen, err := w.d.Ask(w.Ctx, peers, nil)
	if err != nil {
		return err
	}
	for _, p := range seen {
		switch {
		case p.Err != nil:
			return console.Refuse("peer_unreachable", "%s, the other machine of %s, cannot be asked: %v",
				"%s(%s のもう一方)に接続できません: %v", p.Name, p.Group, p.Err)
		case p.Facts.Running != "":
			return console.Refuse("peer_busy", "an operation is running on %s, the other machine of %s (%s)",
				"%s(%s のもう一方)で操作が実行中です(%s)", p.Name, p.Group, p.Facts.Running)
		case p.Facts.Maintenance:
			return console.Refuse("peer_in_maintenance", "%s, the other machine of %s, is already in maintenance",
				"%s(%s のもう一方)はすでにメンテナンス中です", p.Name, p.Group)
		case !p.Facts.Serving:
			return console.Refuse("peer_down", "%s, the other machine of %s, does not serve",
				"%s(%s のもう一方)がサービスを提供していません", p.Name, p.Group)
		}
	}
	return nil
}

// utilsICMServices is "utils system icm-services …".
type utilsICMServices struct {
	Start icmStart `cmd:"" help:"Start the services of machines, and end their maintenance."`
}

type icmStart struct{ procedureFlags }

// Run says of each machine whether its services were started or ran already.
func (c icmStart) Run(s *console.Session) error {
	w, err := c.begin(s, procedure.Services)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.choose("Start the services of which of them", func(p inventory.Product) bool {
		return !p.VOS() || drains(p)
	}); err != nil {
		return err
	}
	var chosen []procedure.Chosen
	for _, seen := range w.seenAll() {
		if seen.Facts.Serving {
			s.Note("%s: Services running", seen.Name)
			continue
		}
		chosen = append(chosen, seen)
	}
	w.plan.Dropped = w.dropped
	for _, d := range w.dropped {
		s.Note("%s: %s", d.Name, d.Said(s.Lang))
	}
	if len(chosen) == 0 {
		if len(w.dropped) > 0 {
			return console.Refuse("not_reached", "no machine could be asked", "応答したマシンがありません")
		}
		if c.JSON {
			return s.JSON(map[string]string{"result": "Services running"})
		}
		s.Say("Services running")
		return nil
	}
	if err := w.build(chosen, true); err != nil {
		return err
	}
	if err := w.run("The services will be started."); err != nil {
		return err
	}
	if !c.JSON && !c.NoWait {
		s.Say("Services started")
	}
	return nil
}
