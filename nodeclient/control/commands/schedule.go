package commands

import (
	"fmt"
	"strconv"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/jobs"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
	"connecthub/scheduler/window"
)

type orchestrationJob struct {
	Update jobUpdate `cmd:"" help:"Change when a job of this node runs."`
	Show   jobShow   `cmd:"" help:"Show when the jobs of this node run, and how they ran last."`
	Reset  jobReset  `cmd:"" help:"Give jobs their default times back."`
	Set    jobSet    `cmd:"" help:"Say whose clock counts."`
}

type jobUpdate struct {
	Schedule updateJob `cmd:"" help:"Change a job's time."`
}

type jobShow struct {
	Schedule showJobs `cmd:"" help:"Show all four."`
}

type jobReset struct {
	Schedule resetJobs `cmd:"" help:"Back to the default."`
}

type jobSet struct {
	TimeZone setZone `cmd:"" help:"Say which time zone the schedules are in."`
}

type updateJob struct {
	Job string `help:"token-rotation, software-mail, software-download or deployment-cache." placeholder:"JOB"`
	clockFlags
	JSON bool `help:"As JSON."`
}

// Run keeps a job's time, unless another job is likely to run then.
func (u updateJob) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	schedule, err := jobs.Load(settings.Open(s.Dir, s.Now), jobs.MachineZone(etc))
	if err != nil {
		return err
	}
	chosen, err := s.Choose("Job", "job", filled(u.Job), jobOptions(schedule), console.One)
	if err != nil {
		return err
	}
	return updateSchedule(s, jobs.All()[chosen[0]], u.clockFlags, u.JSON)
}

func jobOptions(schedule jobs.Schedule) []console.Option {
	var options []console.Option
	for _, j := range jobs.All() {
		options = append(options, console.Option{Value: string(j),
			Text: fmt.Sprintf("%s [%s]", j.Title(), schedule.At(j))})
	}
	return options
}

// updateSchedule asks for hours and minutes, as the original does.
func updateSchedule(s *console.Session, j jobs.Job, c clockFlags, asJSON bool) error {
	if err := s.Owner(); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	schedule, err := jobs.Load(store, jobs.MachineZone(etc))
	if err != nil {
		return err
	}
	now := schedule.At(j)
	hour, err := clockPart(s, "Hours (0-23)", "hour", c.Hour, now.Hour, 23)
	if err != nil {
		return err
	}
	minute, err := clockPart(s, "Minutes (0-59)", "minute", c.Minute, now.Minute, 59)
	if err != nil {
		return err
	}
	if err := jobs.Set(store, s.Who, j, window.TimeOfDay{Hour: hour, Minute: minute}, s.Now()); err != nil {
		return err
	}
	if asJSON {
		return showSchedule(s, true)
	}
	s.Say(updated)
	return nil
}

func clockPart(s *console.Session, prompt, flag, given string, current, most int) (int, error) {
	typed, err := s.Ask(prompt, flag, given, strconv.Itoa(current))
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(typed)
	if err != nil || n < 0 || n > most {
		return 0, console.Refuse("not_a_time", "--%s: give a number from 0 to %d",
			"--%s: 0 から %d までの数を指定してください", flag, most)
	}
	return n, nil
}

type showJobs struct {
	JSON bool `help:"As JSON."`
}

// Run shows the four jobs.
func (j showJobs) Run(s *console.Session) error { return showSchedule(s, j.JSON) }

type jobView struct {
	Job      jobs.Job  `json:"job"`
	Title    string    `json:"title"`
	At       string    `json:"at"`
	Default  string    `json:"default"`
	Estimate string    `json:"estimate"`
	Here     bool      `json:"here"` // it runs on this node
	Next     time.Time `json:"next"`
	Last     *jobs.Ran `json:"last,omitempty"`
}

type scheduleView struct {
	TimeZone string    `json:"time_zone"`
	Machine  bool      `json:"of_the_machine"` // the zone is the machine's
	Jobs     []jobView `json:"jobs"`
}

func showSchedule(s *console.Session, asJSON bool) error {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	schedule, err := jobs.Load(store, jobs.MachineZone(etc))
	if err != nil {
		return err
	}
	ran, err := jobs.OnDisk(store).Ran()
	if err != nil {
		return err
	}
	v := scheduleView{TimeZone: schedule.Zone.Name(), Machine: !schedule.OwnZone}
	for _, j := range jobs.All() {
		one := jobView{Job: j, Title: j.Title(), At: schedule.At(j).String(), Default: j.Default().String(),
			Estimate: j.Estimate().String(), Next: schedule.Next(j, s.Now()),
			Here: !j.PublisherOnly() || c.Role != models.Subscriber}
		if last, ok := ran[j]; ok {
			one.Last = &last
		}
		v.Jobs = append(v.Jobs, one)
	}
	if asJSON {
		return s.JSON(v)
	}
	s.Say("Time zone: %s", v.TimeZone)
	for _, j := range v.Jobs {
		last := "never ran"
		switch {
		case !j.Here:
			last = "runs on the publisher only"
		case j.Last != nil:
			last = fmt.Sprintf("%s %s %s", console.Moment(j.Last.Started.In(schedule.Zone.Location())), j.Last.Outcome, j.Last.Detail)
		}
		s.Say("%s  %-42s (%s, up to %s)  %s", j.At, j.Title, j.Job, console.Span(j.Job.Estimate(), s.Lang), last)
	}
	return nil
}

type resetJobs struct {
	Job  []string `help:"Which jobs, or all." placeholder:"JOB,…"`
	Yes  bool     `help:"Without asking."`
	JSON bool     `help:"As JSON."`
}

// Run resets what was chosen, all or nothing.
func (r resetJobs) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	schedule, err := jobs.Load(store, jobs.MachineZone(etc))
	if err != nil {
		return err
	}
	chosen, err := s.Choose("Jobs", "job", r.Job, jobOptions(schedule), console.Many)
	if err != nil {
		return err
	}
	var which []jobs.Job
	for _, i := range chosen {
		which = append(which, jobs.All()[i])
	}
	if err := s.Confirm("The schedule goes back to its default.", "yes", r.Yes); err != nil {
		return err
	}
	if err := jobs.Reset(store, s.Who, which, s.Now()); err != nil {
		return err
	}
	if r.JSON {
		return showSchedule(s, true)
	}
	s.Say(updated)
	return nil
}

type setZone struct {
	Zone    string `arg:"" optional:"" help:"Name of the IANA database, such as Europe/Berlin. Default: a prompt."`
	Machine bool   `help:"The machine's own zone."`
	JSON    bool   `help:"As JSON."`
}

// Run says whose clock counts from the next look of the agent on.
func (z setZone) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	schedule, err := jobs.Load(store, jobs.MachineZone(etc))
	if err != nil {
		return err
	}
	name := ""
	switch {
	case z.Machine && z.Zone != "":
		return console.Refuse("zone_or_machine", "give a zone or --machine, not both",
			"ゾーンと --machine の両方は指定できません")
	case !z.Machine:
		if z.Zone == "" && !s.Terminal() {
			return console.Refuse("argument_needed", "give the zone, or --machine",
				"ゾーンまたは --machine を指定してください")
		}
		if name, err = s.Ask("Time zone", "zone", z.Zone, schedule.Zone.Name()); err != nil {
			return err
		}
		if _, err := window.LoadZone(name); err != nil {
			return console.Refuse("unknown_zone", "%s is not a time zone of the IANA database",
				"%s は IANA のタイムゾーンではありません", console.Printable(name))
		}
	}
	if err := jobs.SetZone(store, s.Who, name); err != nil {
		return err
	}
	if z.JSON {
		return showSchedule(s, true)
	}
	s.Say(updated)
	return nil
}
