package config

import (
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/strongroom-dev/strongroom/archive/retention"
)

// Retention configures which snapshots are kept, and when prune removes the others.
type Retention struct {
	Last    int           `yaml:"last"`    // keep the newest Last snapshots
	Hourly  int           `yaml:"hourly"`  // keep one for each of the last hours that have a snapshot
	Daily   int           `yaml:"daily"`   // the same for days
	Weekly  int           `yaml:"weekly"`  // ISO weeks
	Monthly int           `yaml:"monthly"` // months
	Yearly  int           `yaml:"yearly"`  // years
	Within  time.Duration `yaml:"within"`  // keep those made within this time before the newest

	Schedule string `yaml:"schedule"` // of prunes, as ParseSchedule reads it, never @close; "" disables them

	// PruneLimit is how many of the snapshots that the last prune kept a scheduled prune may remove
	// without a confirmation: a percentage such as 25%, but at least ten snapshots, a number of
	// snapshots, or off. The zero value is off.
	PruneLimit retention.Limit `yaml:"prune_limit"`
}

// DefaultPrune is the default of Retention.Schedule.
const DefaultPrune = "@daily"

// byHand as a schedule disables scheduled prunes; as a limit it disables the limit.
const byHand = "off"

const maxKept = 1_000_000 // the largest number in a rule; more is a typing error

// Policy returns the rules, with days and other periods in a time zone.
func (r *Retention) Policy(location *time.Location) retention.Policy {
	return retention.Policy{
		Last: r.Last, Hourly: r.Hourly, Daily: r.Daily, Weekly: r.Weekly, Monthly: r.Monthly, Yearly: r.Yearly,
		Within: r.Within, Location: location,
	}
}

// retention returns the section retention; nil if it is absent or invalid.
func (s *section) retention(location *time.Location) *Retention {
	e, ok := s.entries["retention"]
	if !ok {
		return nil
	}
	r, ok := s.section(e.value, "in retention", keys[Retention]())
	if !ok {
		return nil
	}
	out := &Retention{Schedule: DefaultPrune, PruneLimit: r.pruneLimit()}
	for key, n := range map[string]*int{
		"last": &out.Last, "hourly": &out.Hourly, "daily": &out.Daily,
		"weekly": &out.Weekly, "monthly": &out.Monthly, "yearly": &out.Yearly,
	} {
		*n, _ = r.number(key, 1, maxKept)
	}
	if v, ok := r.duration("within"); ok {
		if v == 0 {
			r.errors.add(r.entries["within"].at, "within must be greater than 0, such as 48h")
		}
		out.Within = v
	}
	if text, ok := r.text("schedule"); ok {
		out.Schedule = r.pruneSchedule(text, location)
	}
	rules := len(r.entries)
	for _, key := range []string{"schedule", "prune_limit"} {
		if _, ok := r.entries[key]; ok {
			rules--
		}
	}
	if rules == 0 {
		r.errors.add(e.at, "retention has no rule, so prune would remove all snapshots but the newest; "+
			"add at least one of last, hourly, daily, weekly, monthly, yearly and within")
	}
	return out
}

// pruneLimit returns the section's limit, or the default.
func (s *section) pruneLimit() retention.Limit {
	limit := retention.DefaultLimit()
	e, ok := s.entries["prune_limit"]
	if !ok {
		return limit
	}
	text := ""
	switch n := e.value.(type) {
	case *ast.IntegerNode:
		text = n.Token.Value
	default:
		if text, ok = s.text("prune_limit"); !ok {
			return limit
		}
	}
	digits, isPercent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	isNumber := err == nil && digits == strconv.Itoa(n) && n > 0
	switch {
	case text == byHand:
		return retention.Limit{}
	case isNumber && isPercent && n <= 100:
		limit.Percent = n
		return limit
	case isNumber && !isPercent && n <= maxKept:
		return retention.Limit{Least: n}
	}
	s.errors.add(e.at, "prune_limit cannot be %s; write a percentage from 1%% to 100%%, "+
		"a number of snapshots from 1 to %d, or off", quote(text), maxKept)
	return limit
}

func (s *section) pruneSchedule(text string, location *time.Location) string {
	if text == byHand {
		return ""
	}
	parsed, err := ParseSchedule(text, location)
	switch {
	case err != nil:
		s.errors.add(s.entries["schedule"].at, "%v; or off, to disable scheduled prunes", err)
	case parsed.OnClose():
		s.errors.add(s.entries["schedule"].at, "retention cannot be scheduled @close; write a time, such as @daily, or off")
	}
	return text
}
