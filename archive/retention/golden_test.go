package retention_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive/retention"
)

var update = flag.Bool("update", false, "rewrite what is right of the bars in testdata")

// TestGolden reads histories from testdata/*.golden. A file is a table:
//
//	# what it shows
//	policy daily 3, within 48h in Europe/Berlin
//	41  2026-11-22T23:30:00+01:00  damaged, held audit  | held: audit
//
// Left of the bar is a snapshot, right of it why it is kept, or "remove".
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := judge(string(data))
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(data) {
				t.Errorf("%s is, by the code (go test -update writes it):\n%s", file, got)
			}
		})
	}
}

// judge gives a table with the right of each bar as the code has it.
func judge(table string) (string, error) {
	var p retention.Policy
	var all []retention.Snapshot
	lines := strings.Split(table, "\n")
	for i, line := range lines {
		var err error
		if rest, ok := strings.CutPrefix(line, "policy "); ok {
			p, err = parsePolicy(rest)
		} else if left, _, ok := strings.Cut(line, "|"); ok {
			var s retention.Snapshot
			s, err = parseSnapshot(left)
			all = append(all, s)
		}
		if err != nil {
			return "", fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	verdicts, err := p.Apply(all)
	if err != nil {
		return "", err
	}
	for i, line := range lines {
		if left, _, ok := strings.Cut(line, "|"); ok {
			why := "remove"
			if verdicts[0].Keep {
				why = strings.Join(texts(verdicts[0]), ", ")
			}
			lines[i], verdicts = left+"| "+why, verdicts[1:] // a table is in ascending order
		}
	}
	return strings.Join(lines, "\n"), nil
}

func parsePolicy(text string) (p retention.Policy, err error) {
	rules, place, ok := strings.Cut(text, " in ")
	if ok {
		if p.Location, err = time.LoadLocation(place); err != nil {
			return p, err
		}
	}
	numbers := map[string]*int{"last": &p.Last, "hourly": &p.Hourly, "daily": &p.Daily, "weekly": &p.Weekly, "monthly": &p.Monthly, "yearly": &p.Yearly}
	for _, rule := range strings.Split(rules, ", ") {
		name, value, _ := strings.Cut(rule, " ")
		if n := numbers[name]; n != nil {
			*n, err = strconv.Atoi(value)
		} else if name == "within" {
			p.Within, err = time.ParseDuration(value)
		} else {
			err = fmt.Errorf("no rule %q", name)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func parseSnapshot(text string) (s retention.Snapshot, err error) {
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return s, fmt.Errorf("%q is no number, time and state", text)
	}
	if s.Sequence, err = strconv.ParseInt(fields[0], 10, 64); err != nil {
		return s, err
	}
	if s.Created, err = time.Parse(time.RFC3339, fields[1]); err != nil {
		return s, err
	}
	for _, state := range strings.Split(strings.Join(fields[2:], " "), ", ") {
		switch word, why, _ := strings.Cut(state, " "); word {
		case "good":
		case "damaged":
			s.Damaged = true
		case "tail-less":
			s.Incomplete = true
		case "unreadable":
			s.Unreadable = true
		case "held":
			s.Held = why
		case "hollow":
			s.Hollow = why
		default:
			return s, fmt.Errorf("no state %q", state)
		}
	}
	return s, nil
}
