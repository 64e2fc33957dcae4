package windriver_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conduct/standtest"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/windriver"
)

func TestTheOneCommandFitsIntoALineOfWindows(t *testing.T) {
	t.Parallel()
	command, err := windriver.Command()
	if err != nil {
		t.Fatal(err)
	}
	if len(command) > 8000 || !regexp.MustCompile(`^powershell\.exe [A-Za-z -]+ [A-Za-z0-9+/=]+$`).MatchString(string(command)) {
		t.Errorf("%d characters: %s", len(command), command)
	}
	for _, s := range []windriver.Script{windriver.Begin, windriver.Facts, windriver.Start, windriver.Status,
		windriver.Digest, windriver.Runner} {
		text, err := s.Text()
		if err != nil || strings.Contains(text, "Invoke-Expression") || strings.Contains(text, "iex ") {
			t.Errorf("%s: %v", s, err)
		}
		if open, shut := strings.Count(text, "{"), strings.Count(text, "}"); open != shut {
			t.Errorf("%s: %d braces open, %d close", s, open, shut)
		}
	}
}

// machine is a stand-in, as the driver sees it.
func machine(t *testing.T, spec standtest.Spec) (*standtest.Machine, *windriver.Machine) {
	t.Helper()
	key := sftptest.NewKey(t).Signer
	d := standtest.Start(t, key.PublicKey(), spec)
	m := d.Machines[0]
	pins := remote.OpenPins(t.TempDir(), time.Now)
	if err := pins.Confirm(m.Address, m.Key.Signer.PublicKey(), "test"); err != nil {
		t.Fatal(err)
	}
	w := windriver.New(remote.NewLink(t.Context(), pins, remote.Target{Address: m.Address, User: m.User, Signers: []ssh.Signer{key}}))
	t.Cleanup(w.Close)
	return m, w
}

func TestAMachineSaysItsReleaseItsPatchesAndWhatIsBelow(t *testing.T) {
	t.Parallel()
	m, w := machine(t, standtest.Spec{Product: inventory.PeripheralGateway, Group: "PG1", Side: "A",
		Patches: []string{"12.6(1)ES2", "12.6(1)ES10"}, Updates: []string{"KB5031364"}})
	f, err := w.Facts(t.Context())
	if err != nil || f.Active.Level().String() != "12.6(1)ES10" || len(f.Active.Patches) != 2 || f.Inactive != nil ||
		!f.Serving || f.Boot != "1" || len(f.Updates) != 1 || f.DiskFree == 0 {
		t.Errorf("%+v %v", f, err)
	}
	m.Set(t, "software", []map[string]string{{"name": "Cisco Unified ICM 12.5(1)"}, {"name": "Cisco Unified ICM 12.5(1)_ES55"},
		{"name": "Cisco Unified ICM", "version": "12.6(2)"}, {"name": "Cisco Unified ICM ES 12.6(2) ES3"}, {"name": "Something else", "version": "1.2"}})
	m.Set(t, "stopped", []string{"Cisco ICM\x1b[2J"})
	f, err = w.Facts(t.Context())
	if err != nil || f.Active.Level().String() != "12.6(2)ES3" || f.Inactive == nil || f.Inactive.Level().String() != "12.5(1)ES55" ||
		f.Serving || strings.Contains(f.Trouble, "\x1b") || !strings.Contains(f.Trouble, "Cisco ICM") {
		t.Errorf("%+v %v", f, err)
	}
}

func TestAnOperationIsDoneOnceByItsID(t *testing.T) {
	t.Parallel()
	m, w := machine(t, standtest.Spec{Product: inventory.PeripheralGateway, Group: "PG1", Side: "A", Available: []string{"KB5031364"}})
	work := target.Work{ID: "procedure-1-2-1", Kind: target.Updates}
	for range 3 {
		o, err := w.Do(t.Context(), work)
		if err != nil || !o.Restart {
			t.Fatalf("%+v %v", o, err)
		}
	}
	if n := m.Times(t)["updates"]; n != 1 {
		t.Errorf("it was done %d times", n)
	}
	m.Fault(t, "exit", "1603")
	_, err := w.Do(t.Context(), target.Work{ID: "procedure-1-3-1", Kind: target.Services})
	if failed, ok := err.(*target.Failure); !ok || failed.Code != "exit_1603" { //nolint:errorlint // it is not wrapped
		t.Errorf("%v", err)
	}
	if _, err := w.Do(t.Context(), target.Work{ID: "../x", Kind: target.Services}); err == nil {
		t.Error("an id that is a path was taken")
	}
	restart := target.Work{ID: "procedure-1-4-1", Kind: target.Restart, Boot: "7"} // of another boot
	if _, err := w.Do(t.Context(), restart); err != nil {
		t.Error(err)
	}
	if f, err := w.Facts(t.Context()); err != nil || f.Boot != "1" {
		t.Errorf("it was restarted: %v %v", f.Boot, err)
	}
}
