package commands

import (
	"errors"
	"time"

	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/download"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/jobs"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/mail"
	"connecthub/nodeclient/control/nightly"
	"connecthub/nodeclient/control/repository"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
)

const (
	etc         = "/etc"
	inheritedFD = 3
)

type utilsInitiate struct {
	SoftwareDownload softwareInitiate `cmd:"" help:"Download software now."`
	DownloadWorker   downloadWorker   `cmd:"" hidden:"" help:"The download itself; begun by software-download."`
}

type softwareInitiate struct {
	NoWait bool `help:"Do not show how far it is."`
	JSON   bool `help:"As JSON, when it has ended."`
}

// Run starts a download that outlives this session, and shows it.
func (i softwareInitiate) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	config, _, err := repository.Load(settings.Open(s.Dir, s.Now))
	if err != nil {
		return err
	}
	if !config.Configured() {
		return noRepository()
	}
	before, err := download.ReadStatus(s.Dir)
	if err != nil {
		return err
	}
	hold, err := s.Begin(gate.Download, "software download")
	if err != nil {
		return err
	}
	if err := detach(s, hold, "utils", "initiate", "download-worker", "--dir", s.Dir, "--by", s.Who); err != nil {
		hold.Release()
		return err
	}
	if i.NoWait {
		s.Say("The download has begun; see: utils show software-download")
		return nil
	}
	s.Note("The download has begun. Until it has ended, orchestration is refused on this node.")
	return i.follow(s, before.ID)
}

func noRepository() error {
	return console.Refuse("no_repository", "no repository is configured; run: utils image-repository set",
		"リポジトリが設定されていません。utils image-repository set を実行してください")
}

// follow shows the download until it ends, or until this session does: the download goes on.
func (i softwareInitiate) follow(s *console.Session, before string) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	shown := ""
	for {
		_, busy, err := gate.Busy(s.Dir, gate.Download)
		if err != nil {
			return err
		}
		status, err := download.ReadStatus(s.Dir) // after the gate: what is free has said its last word
		if err != nil {
			return err
		}
		if text := status.Sentence(s.Lang); status.ID != before && text != shown && status.Ended.IsZero() {
			s.Note("%s", text)
			shown = text
		}
		if !busy {
			return i.outcome(s, status, before)
		}
		select {
		case <-s.Ctx.Done():
			s.Note("The download goes on; see: utils show software-download")
			return s.Ctx.Err()
		case <-tick.C:
		}
	}
}

func (i softwareInitiate) outcome(s *console.Session, status download.Status, before string) error {
	if status.ID == before || status.Ended.IsZero() {
		return console.Refuse("download_interrupted", "the download was interrupted; run it again, it goes on "+
			"where it was", "ダウンロードが中断されました。もう一度実行すると、続きから再開します")
	}
	if i.JSON {
		if err := s.JSON(status); err != nil {
			return err
		}
	}
	if status.State == download.Failed {
		return &console.Refusal{Code: "download_failed", English: status.Sentence("en"),
			Japanese: status.Sentence("ja")}
	}
	if !i.JSON {
		s.Say("%s", status.Sentence(s.Lang))
	}
	return nil
}

// downloadWorker is the download itself; people never call it.
type downloadWorker struct {
	By string `required:"" help:"Who asked for it."`
}

// Run downloads under the lock that it was handed.
func (w downloadWorker) Run(s *console.Session) error {
	hold, err := gate.Inherit(s.Dir, inheritedFD, gate.Download)
	if err != nil {
		return err
	}
	defer hold.Release()
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return err
	}
	log := logs.To(s.Dir, logs.Jobs)
	store := settings.Open(s.Dir, s.Now)
	night := &nightly.Night{Dir: s.Dir, Store: store, Now: s.Now, Log: log,
		Box: mail.Open(s.Dir, mail.Options{Now: s.Now, Log: logs.To(s.Dir, logs.Mail), Server: string(c.FQDN),
			Zone: s.Now().Location()})}
	_, err = jobs.ByHand(jobs.OnDisk(store), jobs.Download, s.Now, func() (string, error) {
		return night.Download(s.Ctx, w.By)
	})
	if err != nil {
		log.Error("the download failed", "by", w.By, "error", err)
	}
	return err
}

type setSoftwareDownload struct {
	Time      setDownloadTime `cmd:"" help:"Say at what time of the day this node downloads."`
	Bandwidth setBandwidth    `cmd:"" help:"Say how much of the network a download of this node may take."`
}

type clockFlags struct {
	Hour   string `help:"0 to 23, server time." placeholder:"H"`
	Minute string `help:"0 to 59." placeholder:"M"`
}

type setDownloadTime struct {
	clockFlags
	JSON bool `help:"As JSON."`
}

// Run is orchestration-job update schedule for the download.
func (t setDownloadTime) Run(s *console.Session) error {
	return updateSchedule(s, jobs.Download, t.clockFlags, t.JSON)
}

type setBandwidth struct {
	Bandwidth string `arg:"" optional:"" help:"10M (Mbps), 500K (Kbps), 1250000 (bytes a second), or off. Default: a prompt."`
	JSON      bool   `help:"As JSON."`
}

// Run keeps the bandwidth; it holds from the next file on.
func (b setBandwidth) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	now, err := download.LoadBandwidth(store)
	if err != nil {
		return err
	}
	if b.Bandwidth == "" && !s.Terminal() {
		return console.Refuse("argument_needed", "give the bandwidth", "帯域幅を指定してください")
	}
	typed, err := s.Ask("Bandwidth (suffix M for Mbps, K for Kbps, none for bytes a second; off)", "bandwidth",
		b.Bandwidth, now.String())
	if err != nil {
		return err
	}
	wanted, err := download.ParseBandwidth(typed)
	if err != nil {
		return err
	}
	if err := download.SetBandwidth(store, s.Who, wanted); err != nil {
		return err
	}
	if wanted.Slow() {
		s.Note("At least 10M is advised.")
	}
	if b.JSON {
		return s.JSON(map[string]any{"bandwidth": wanted.String(), "bytes_per_second": int64(wanted)})
	}
	s.Say(updated)
	return nil
}

type utilsShow struct {
	SoftwareDownload showDownload `cmd:"" help:"Show when and how fast software is downloaded, and how far it is."`
}

type showDownload struct {
	JSON bool `help:"As JSON."`
}

type downloadView struct {
	Time        string           `json:"time"`
	TimeZone    string           `json:"time_zone"`
	Next        time.Time        `json:"next"`
	Bandwidth   string           `json:"bandwidth"`
	Files       int              `json:"files"`
	Completed   *time.Time       `json:"completed,omitempty"` // what is here may be installed
	Running     bool             `json:"running"`
	Interrupted bool             `json:"interrupted"`
	Last        *download.Status `json:"last,omitempty"`
}

func downloadViewOf(s *console.Session) (v downloadView, err error) {
	store := settings.Open(s.Dir, s.Now)
	schedule, err := jobs.Load(store, jobs.MachineZone(etc))
	if err != nil {
		return v, err
	}
	bandwidth, err := download.LoadBandwidth(store)
	if err != nil {
		return v, err
	}
	c, err := catalogue.Read(s.Dir)
	if err != nil {
		return v, err
	}
	_, busy, err := gate.Busy(s.Dir, gate.Download)
	if err != nil {
		return v, err
	}
	status, err := download.ReadStatus(s.Dir)
	v = downloadView{Time: schedule.At(jobs.Download).String(), TimeZone: schedule.Zone.Name(),
		Next: schedule.Next(jobs.Download, s.Now()), Bandwidth: bandwidth.String(), Files: len(c.Files),
		Running: busy}
	if !errors.Is(c.Check(), catalogue.ErrNothing) {
		v.Completed = &c.At
	}
	if status.ID != "" {
		v.Last, v.Interrupted = &status, !busy && status.Ended.IsZero()
	}
	return v, err
}

// Run shows it.
func (d showDownload) Run(s *console.Session) error {
	v, err := downloadViewOf(s)
	if err != nil {
		return err
	}
	if d.JSON {
		return s.JSON(v)
	}
	s.Say("Time of the download : %s (%s), next %s", v.Time, v.TimeZone, console.Moment(v.Next))
	s.Say("Bandwidth            : %s", v.Bandwidth)
	completed := "never complete yet"
	if v.Completed != nil {
		completed = "complete since " + s.Moment(*v.Completed)
	}
	s.Say("Software             : %s, %s", plural(v.Files, "file"), completed)
	switch {
	case v.Last == nil:
	case v.Interrupted:
		s.Say("Last download        : %s, interrupted", s.Moment(v.Last.Started))
	case v.Running:
		s.Say("Running download     : %s, by %s: %s", s.Moment(v.Last.Started), v.Last.By,
			v.Last.Sentence(s.Lang))
	default:
		s.Say("Last download        : %s, by %s: %s", s.Moment(v.Last.Started), v.Last.By,
			v.Last.Sentence(s.Lang))
	}
	return nil
}
