package config

import "time"

// Drill is how and when an archive is restored on trial.
type Drill struct {
	Schedule     string        `yaml:"schedule"`      // as ParseSchedule reads it, never @close; empty: only by hand
	Command      string        `yaml:"command"`       // for sh, with {dir} for the restored directory; empty: none
	Scratch      string        `yaml:"scratch"`       // directory to restore below; absolute; empty: the system's
	Timeout      time.Duration `yaml:"timeout"`       // of the command; positive
	IdentityFile string        `yaml:"identity_file"` // opens what is encrypted; absolute
}

// DefaultDrillTimeout is how long the command of a drill may take.
const DefaultDrillTimeout = 4 * time.Hour

// drill returns the section drill, or nil.
func (s *section) drill(location *time.Location) *Drill {
	e, ok := s.entries["drill"]
	if !ok {
		return nil
	}
	d, ok := s.section(e.value, "in drill", keys[Drill]())
	if !ok {
		return nil
	}
	out := &Drill{Scratch: d.path("scratch"), IdentityFile: d.path("identity_file"), Timeout: DefaultDrillTimeout}
	out.Command, _ = d.text("command")
	if text, ok := d.text("schedule"); ok {
		out.Schedule = text
		parsed, err := ParseSchedule(text, location)
		switch {
		case err != nil:
			d.errors.add(d.entries["schedule"].at, "%v", err)
		case parsed.OnClose():
			d.errors.add(d.entries["schedule"].at, "drill cannot be scheduled @close; write a time, such as @weekly")
		}
	}
	if v, ok := d.duration("timeout"); ok {
		if v == 0 {
			d.errors.add(d.entries["timeout"].at, "timeout must be longer than nothing, such as 4h")
		}
		if out.Command == "" {
			d.errors.add(d.entries["timeout"].key, "timeout has no effect without command; remove it")
		}
		out.Timeout = v
	}
	if out.Schedule == "" && out.Command == "" && len(d.entries) == 0 {
		d.errors.add(e.at, "drill is empty; give it a schedule, such as \"@weekly\", a command, or both")
	}
	return out
}
