package commands

import (
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/repository"
	"connecthub/nodeclient/control/settings"
)

// exportKind refuses software that was downloaded for the other choice than stands now.
func (w *work) exportKind(c catalogue.Catalogue) error {
	config, _, err := repository.Load(settings.Open(w.Dir, w.Now))
	if err != nil || !config.Configured() || config.Restricted == c.Restricted {
		return err
	}
	here := exportUnrestricted
	if c.Restricted {
		here = exportRestricted
	}
	return console.Refuse("other_export_kind", "the software here is export %s and export %s was chosen since; "+
		"wait for the next download or run: utils initiate software-download", "ダウンロード済みのソフトウェアは export %s ですが、"+
		"その後 export %s が選択されました。次のダウンロードを待つか、utils initiate software-download を実行してください",
		here, exportOf(config))
}
