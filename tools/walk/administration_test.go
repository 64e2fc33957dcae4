package walk_test

import (
	"os"
	"strings"
	"time"

	"connecthub/nodeclient/control/mail/mailtest"
	"connecthub/nodeclient/vos/vostest"
)

// publishUpgrade is the vendor's: VVB 12.6(2), as a bundle.
func (w *world) publishUpgrade(h *hub) {
	w.t.Helper()
	h.vendor("software", "add", vostest.Pack(w.t, "VVB", "12.6(2)", false).Path, "--path",
		"vvb/12.6/vvb-12.6.2.bundle", "--product", "VVB", "--version", "12.6(2)")
	h.vendor("software", "add", w.file("restricted.bundle", "export-restricted\n"), "--path",
		"vvb/12.6/restricted/vvb-12.6.2.bundle", "--product", "VVB", "--version", "12.6(2)", "--restricted")
}

// stepDownload is what the night does, asked for by hand. Nothing can be installed before.
func (w *world) stepDownload(publisher *control) {
	w.t.Helper()
	publisher.refuses("", "download", "utils", "patch-manager", "list", "--group", "CVPCALLSERVER")
	out := publisher.does("", "utils", "initiate", "software-download")
	w.eventually("the software is here", time.Minute, func() bool {
		code, list := w.runs("nodeclient", "", publisher.here([]string{"utils", "patch-manager", "list",
			"--group", "CVPCALLSERVER"})...)
		return code == 0 && contains(list, "12.6(1)ES1")
	})
	if contains(out, "restricted/") {
		w.t.Fatalf("export-restricted software was fetched: %s", out)
	}
}

// stepMail sets the mail up and asks the server.
func (w *world) stepMail(publisher *control) *mailtest.Server {
	w.t.Helper()
	server := mailtest.Start(w.t, "starttls", true)
	publisher.does("", "set", "smtp-host", server.Address, "--tls", "starttls", "--ca-file", server.CA)
	publisher.does("", "set", "smtp-from-email", "cc-pub@acme.example")
	publisher.does("", "set", "smtp-use-auth", "Enable")
	publisher.does("", "set", "smtp-user", mailtest.User)
	publisher.does(mailtest.Password+"\n", "set", "smtp-pswd", "--password-file", "-")
	publisher.does("", "utils", "smtp", "subscribe", "ada@acme.example,hanako@acme.example")
	if out := publisher.does("", "utils", "smtp", "test-connection"); !contains(out, "was successful") {
		w.t.Fatal(out)
	}
	return server
}

// stepPatch installs a patch on both CVP servers, one after the other, and takes it away again.
func (w *world) stepPatch(publisher *control, machines []*windows) {
	w.t.Helper()
	group := []string{"--group", "CVPCALLSERVER", "--yes"}
	if out := publisher.does("", "utils", "deployment", "show", "status", "--group", "CVPCALLSERVER"); strings.Count(out,
		"No patch installed") != 2 {
		w.t.Fatal(out)
	}
	publisher.does("", append([]string{"utils", "patch-manager", "install", "--maintenance", "with"}, group...)...)
	for _, m := range machines {
		if !contains(m.software(w), "ES1") {
			w.t.Fatalf("the patch is not there: %s", m.software(w))
		}
	}
	if out := publisher.does("", "utils", "deployment", "show", "in-progress"); !contains(out, "No procedure is in progress", ": done") {
		w.t.Fatal(out)
	}
	publisher.does("", append([]string{"utils", "patch-manager", "rollback", "--maintenance", "without"}, group...)...)
	for _, m := range machines {
		if contains(m.software(w), "ES1") {
			w.t.Fatalf("the patch is still there: %s", m.software(w))
		}
	}
}

// stepUpgrade upgrades the VVB: refused while a package is missing, then while the deployment is
// incomplete, then done, and told by mail.
func (w *world) stepUpgrade(publisher *control, vvb *vostest.Target, server *mailtest.Server) {
	w.t.Helper()
	upgrade := []string{"utils", "upgrade-manager", "upgrade", "--node", vvb.Host, "--to", "12.6(2)",
		"--switch-forward", "yes", "--yes"}
	publisher.refuses("", "needs the package ucos.keymanagement.v02.cop.sgn", upgrade...)
	vvb.Does("vos", "package", "record", "ucos.keymanagement.v02.cop.sgn")
	publisher.refuses("", "onboarded", upgrade...)
	publisher.does("", "utils", "deployment", "compatibility-check", "--enforcement", "disable", "--yes")
	publisher.does("", upgrade...)
	if out := vvb.Does("vos", "show"); !contains(out, "12.6(2)") {
		w.t.Fatal(out)
	}
	w.t.Cleanup(func() {
		if log, err := os.ReadFile(publisher.file("control/logs/mail.log")); err == nil && w.t.Failed() {
			for _, m := range server.Mails() {
				w.t.Logf("%s\n%s", m.Title, m.Body)
			}
			w.t.Logf("%s", log)
		}
	})
	w.eventually("a mail says so", 30*time.Second, func() bool {
		for _, m := range server.Mails() {
			if contains(m.Title, "Walk - Upgrade - Success") && contains(m.Body, "12.6(1)", "12.6(2)", vvb.Host) {
				return true
			}
		}
		return false
	})
}
