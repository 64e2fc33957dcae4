package manifest

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"connecthub/models"
)

// The limits of a manifest. What exceeds one is refused, never cut.
const (
	maxServices    = 32
	maxArguments   = 64
	maxEnvironment = 128
	maxPorts       = 32
	maxText        = 4096
	maxPackages    = 64
	maxDeadline    = time.Hour
	maxSoak        = 24 * time.Hour
	maxFailures    = 100
	minInterval    = 20 * time.Millisecond
)

var (
	namePattern     = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$`)
	variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	packagePattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+:_-]{0,127}$`)
	methods         = []string{"", "GET", "POST", "PUT"}
)

// Signals are the signals a manifest may name.
func Signals() []string {
	return []string{"TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH"}
}

// Validate refuses a manifest that says something impossible or exceeds a limit.
func (m Manifest) Validate() error {
	if m.Format != Format {
		return Refuse("manifest format %d is not %d", m.Format, Format)
	}
	if !namePattern.MatchString(m.Name) {
		return Refuse("name %.80q must be lower case letters, digits, dots and dashes", m.Name)
	}
	if !validVersion(m.Version) {
		return Refuse("version %.80q cannot be read", m.Version)
	}
	if len(m.Services) == 0 || len(m.Services) > maxServices {
		return Refuse("there must be 1 to %d services", maxServices)
	}
	if m.Soak < 0 || m.Soak.D() > maxSoak {
		return Refuse("soak must be between 0 and %s", maxSoak)
	}
	if !m.Order.Valid() {
		return Refuse("order %.40q is unknown", m.Order)
	}
	seen := map[string]bool{}
	for _, s := range m.Services {
		if seen[s.Name] {
			return Refuse("service %q is there twice", s.Name)
		}
		seen[s.Name] = true
		if err := s.validate(); err != nil {
			return err
		}
	}
	return m.Requires.validate()
}

func (r Requirements) validate() error {
	if r.DiskBytes < 0 || r.MemoryBytes < 0 {
		return Refuse("a required size is negative")
	}
	if r.MinVersion != "" && !validVersion(r.MinVersion) {
		return Refuse("min_version %.80q cannot be read", r.MinVersion)
	}
	if r.Intermediate != "" && !validVersion(r.Intermediate) {
		return Refuse("intermediate %.80q cannot be read", r.Intermediate)
	}
	if len(r.Packages) > maxPackages {
		return Refuse("more than %d required packages", maxPackages)
	}
	for _, p := range r.Packages {
		if !packagePattern.MatchString(p.Name) || len(p.MinVersion) > 128 {
			return Refuse("required package %.80q cannot be read", p.Name)
		}
	}
	return nil
}

func (s Service) validate() error {
	if !namePattern.MatchString(s.Name) {
		return Refuse("service name %.80q cannot be read", s.Name)
	}
	if len(s.Ports) > maxPorts {
		return Refuse("service %s has more than %d ports", s.Name, maxPorts)
	}
	for i, p := range s.Ports {
		if !namePattern.MatchString(p) || slices.Contains(s.Ports[:i], p) {
			return Refuse("service %s: port name %.80q", s.Name, p)
		}
	}
	if err := s.validateCommand("command", s.Command); err != nil {
		return err
	}
	if len(s.Environment) > maxEnvironment {
		return Refuse("service %s has more than %d variables", s.Name, maxEnvironment)
	}
	for k, v := range s.Environment {
		if !variablePattern.MatchString(k) || strings.HasPrefix(k, MarkPrefix) {
			return Refuse("service %s: variable %.80q", s.Name, k)
		}
		if err := s.validateText(v); err != nil {
			return err
		}
	}
	if err := s.validateHealth(); err != nil {
		return err
	}
	if err := s.validateDrain(); err != nil {
		return err
	}
	if !slices.Contains(Signals(), s.Stop.Signal) {
		return Refuse("service %s: stop signal %.40q is not one of %s", s.Name, s.Stop.Signal,
			strings.Join(Signals(), ", "))
	}
	return s.deadline("stop deadline", s.Stop.Deadline, maxDeadline)
}

// validateCommand keeps a command inside its slot: a bundle runs what it brings, nothing else.
func (s Service) validateCommand(what string, argv []string) error {
	if len(argv) == 0 || len(argv) > maxArguments {
		return Refuse("service %s: %s needs 1 to %d words", s.Name, what, maxArguments)
	}
	if !CleanPath(argv[0]) {
		return Refuse("service %s: %s %.80q must be a path inside the bundle", s.Name, what, argv[0])
	}
	for _, word := range argv[1:] {
		if err := s.validateText(word); err != nil {
			return err
		}
	}
	return nil
}

func (s Service) validateText(text string) error {
	if len(text) > maxText || strings.ContainsRune(text, 0) {
		return Refuse("service %s: a value is too long or holds a zero byte", s.Name)
	}
	_, err := Expand(text, func(kind, name string) (string, error) {
		if kind == "PORT" && !slices.Contains(s.Ports, name) {
			return "", Refuse("service %s uses port %q, which it does not declare", s.Name, name)
		}
		return "", nil
	})
	return err
}

func (s Service) validateCall(what string, c *HTTPCall) error {
	if !strings.HasPrefix(c.Path, "/") || len(c.Path) > 1024 || strings.ContainsAny(c.Path, " \r\n\x00") {
		return Refuse("service %s: %s path %.80q", s.Name, what, c.Path)
	}
	if !slices.Contains(methods, c.Method) {
		return Refuse("service %s: %s method %.40q", s.Name, what, c.Method)
	}
	return s.validatePort(what, c.Port)
}

func (s Service) validatePort(what, port string) error {
	if !slices.Contains(s.Ports, port) {
		return Refuse("service %s: %s uses port %.80q, which it does not declare", s.Name, what, port)
	}
	return nil
}

func (s Service) validateHealth() error {
	h := s.Health
	if err := s.oneOf("health", h.HTTP != nil, h.TCP != "", len(h.Command) > 0); err != nil {
		return err
	}
	switch {
	case h.HTTP != nil:
		if err := s.validateCall("health", h.HTTP); err != nil {
			return err
		}
	case h.TCP != "":
		if err := s.validatePort("health", h.TCP); err != nil {
			return err
		}
	default:
		if err := s.validateCommand("health command", h.Command); err != nil {
			return err
		}
	}
	if h.Failures < 1 || h.Failures > maxFailures {
		return Refuse("service %s: health failures must be 1 to %d", s.Name, maxFailures)
	}
	if err := s.deadline("health interval", h.Interval, maxDeadline); err != nil {
		return err
	}
	if err := s.deadline("health timeout", h.Timeout, time.Minute); err != nil {
		return err
	}
	return s.deadline("health ready_within", h.ReadyWithin, maxDeadline)
}

func (s Service) validateDrain() error {
	d := s.Drain
	if d == nil {
		return nil
	}
	if err := s.oneOf("drain", d.HTTP != nil, d.Signal != "", len(d.Command) > 0); err != nil {
		return err
	}
	switch {
	case d.HTTP != nil:
		if err := s.validateCall("drain", d.HTTP); err != nil {
			return err
		}
	case d.Signal != "":
		if !slices.Contains(Signals(), d.Signal) {
			return Refuse("service %s: drain signal %.40q", s.Name, d.Signal)
		}
	default:
		if err := s.validateCommand("drain command", d.Command); err != nil {
			return err
		}
	}
	return s.deadline("drain deadline", d.Deadline, maxDeadline)
}

func (s Service) oneOf(what string, set ...bool) error {
	n := 0
	for _, b := range set {
		if b {
			n++
		}
	}
	if n != 1 {
		return Refuse("service %s: %s needs exactly one way, it has %d", s.Name, what, n)
	}
	return nil
}

func (s Service) deadline(what string, d Duration, high time.Duration) error {
	if d.D() < minInterval || d.D() > high {
		return Refuse("service %s: %s must be between %s and %s", s.Name, what, minInterval, high)
	}
	return nil
}

func validVersion(v models.Version) bool {
	_, err := models.ParseVersion(string(v))
	return err == nil
}

// CleanPath reports whether p is a relative slash path without dots that lead elsewhere.
func CleanPath(p string) bool {
	return p != "" && len(p) <= MaxPath && p != "." && path.Clean(p) == p && !path.IsAbs(p) &&
		p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsAny(p, "\\\x00\n\r") &&
		strings.Count(p, "/") < MaxDepth
}
