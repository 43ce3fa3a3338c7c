package config

import "time"

// Drill configures the test restores of an archive.
type Drill struct {
	Schedule     string        `yaml:"schedule"`      // as ParseSchedule reads it, never @close; "" disables it
	Command      string        `yaml:"command"`       // for sh, with {dir} for the restored directory; "" runs none
	Scratch      string        `yaml:"scratch"`       // directory to restore below; absolute; "" is the system's
	Timeout      time.Duration `yaml:"timeout"`       // of the command; positive
	IdentityFile string        `yaml:"identity_file"` // absolute path of the age identities; "" if none
}

// DefaultDrillTimeout is the default of Drill.Timeout.
const DefaultDrillTimeout = 4 * time.Hour

// drill returns the section drill; nil if it is absent or invalid.
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
			d.errors.add(d.entries["timeout"].at, "timeout must be greater than 0, such as 4h")
		}
		if out.Command == "" {
			d.errors.add(d.entries["timeout"].key, "timeout has no effect without command; remove it")
		}
		out.Timeout = v
	}
	if out.Schedule == "" && out.Command == "" && len(d.entries) == 0 {
		d.errors.add(e.at, "drill is empty; add a schedule, such as \"@weekly\", a command, or both")
	}
	return out
}
