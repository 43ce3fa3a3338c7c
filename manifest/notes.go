package manifest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// MaxNotesBytes is the maximum size of a summary's optional fields as JSON. It ensures that the
// summary ends within the first SummaryBytes.
const MaxNotesBytes = 1 << 10

// The bounds of single optional fields.
const (
	maxShortText = 63 // bytes of a guard, a role, a label's name or value, a log position
	maxAccepted  = 8  // guards that one commit accepted
	maxLabels    = 8
)

// A Guard is a check that stops an operation until an operator accepts its finding. A manifest or
// ledger record lists the guards that were accepted for it.
type Guard string

// The guards.
const (
	GuardRollback Guard = "rollback"  // the source ends before the archive does
	GuardTakeOver Guard = "take-over" // the source looks like another database
	GuardMissing  Guard = "missing"   // closed files are missing without evidence of a cleaner
	GuardFork     Guard = "fork"      // the source and the archive have different histories
	GuardNested   Guard = "nested"    // the archive would begin within or around another one
	GuardPrune    Guard = "prune"     // a scheduled prune would remove unusually many snapshots
)

// Notes are the optional fields of a summary, written only when they are set.
type Notes struct {
	Writer      string            `json:"writer,omitempty"`       // UUIDv4 of the writer's state directory
	Accepted    []Guard           `json:"accepted,omitempty"`     // guards that an operator accepted for the snapshot
	LeftOut     *LeftOut          `json:"left_out,omitempty"`     // source files that are not in the snapshot
	ForkedFrom  *Ref              `json:"forked_from,omitempty"`  // the last snapshot of the history that it does not continue
	RewoundFrom *Ref              `json:"rewound_from,omitempty"` // the last snapshot with the end of a log that went back since
	Labels      map[string]string `json:"labels,omitempty"`
	Role        string            `json:"role,omitempty"`    // of the node in its replication group
	LogEnd      *LogEnd           `json:"log_end,omitempty"` // end of the log
}

// LeftOut counts source files that match the layout and are not in the snapshot.
type LeftOut struct {
	Files   int64  `json:"files"`
	Example string `json:"example"` // the name of one of them
}

// LogEnd is the end of a snapshot's log, in the database's own terms. At least one field is set.
type LogEnd struct {
	VLSN     int64  `json:"vlsn,omitempty"`     // the last replicated version number of JE or Noxu
	Position string `json:"position,omitempty"` // of other databases, such as an LSN or a GTID
}

var (
	noteFields    = []string{"writer", "accepted", "left_out", "forked_from", "rewound_from", "labels", "role", "log_end"}
	leftOutSchema = schema{[]string{"files", "example"}, 2}
	logEndSchema  = schema{[]string{"vlsn", "position"}, 0}
)

func (l *lexer) noteField(s *Summary, name string) (err error) {
	switch name {
	case "writer":
		s.Writer, err = l.string()
	case "accepted":
		s.Accepted, err = l.accepted()
	case "left_out":
		s.LeftOut, err = l.leftOut()
	case "forked_from":
		if s.ForkedFrom, err = l.ref(); err == nil && s.ForkedFrom == nil {
			err = errNullNote
		}
	case "rewound_from":
		if s.RewoundFrom, err = l.ref(); err == nil && s.RewoundFrom == nil {
			err = errNullNote
		}
	case "labels":
		s.Labels, err = l.labels()
	case "role":
		s.Role, err = l.string()
	case "log_end":
		s.LogEnd, err = l.logEnd()
	}
	return err
}

// errNullNote rejects null, since an optional field that is not set must be absent.
var errNullNote = errors.New("it is null; a field that is not set must be absent")

func (l *lexer) accepted() (all []Guard, err error) {
	err = l.array(func() error {
		if len(all) == maxAccepted {
			return fmt.Errorf("more than %d", maxAccepted)
		}
		g, err := l.string()
		all = append(all, Guard(g))
		return err
	})
	if err == nil && len(all) == 0 {
		err = errors.New("an empty list; a field that is not set must be absent")
	}
	return all, err
}

func (l *lexer) leftOut() (*LeftOut, error) {
	var o LeftOut
	err := l.object(&leftOutSchema, func(i int) (err error) {
		switch leftOutSchema.names[i] {
		case "files":
			o.Files, err = l.count()
		case "example":
			o.Example, err = l.string()
		}
		return err
	})
	return &o, err
}

func (l *lexer) logEnd() (*LogEnd, error) {
	var e LogEnd
	err := l.object(&logEndSchema, func(i int) (err error) {
		switch logEndSchema.names[i] {
		case "vlsn":
			e.VLSN, err = l.count()
		case "position":
			e.Position, err = l.string()
		}
		return err
	})
	return &e, err
}

func (l *lexer) labels() (map[string]string, error) {
	if err := l.expect('{'); err != nil {
		return nil, err
	}
	all := map[string]string{}
	err := l.list('}', func() error {
		key, err := l.string()
		if err == nil {
			err = l.expect(':')
		}
		if err != nil {
			return err
		}
		switch _, twice := all[key]; {
		case twice:
			return fmt.Errorf("label %.80q occurs twice", key)
		case len(all) == maxLabels:
			return fmt.Errorf("more than %d", maxLabels)
		}
		all[key], err = l.string()
		return err
	})
	return all, err
}

// validateNotes checks the optional fields of a summary.
func (s *Summary) validateNotes() error {
	if s.Writer != "" && !validID(s.Writer) {
		return fmt.Errorf("writer: %.80q is not a UUID in lower case", s.Writer)
	}
	if err := checkGuards(s.Accepted); err != nil {
		return err
	}
	if o := s.LeftOut; o != nil && (o.Files < 1 || CheckName(o.Example) != nil) {
		return errors.New("left_out: it counts no file, or its example is not a valid file name")
	}
	if f := s.ForkedFrom; f != nil && (f.Sequence < 1 || f.Sequence >= s.Sequence) {
		return fmt.Errorf("forked_from: %d does not come before %d", f.Sequence, s.Sequence)
	}
	if f := s.RewoundFrom; f != nil && (f.Sequence < 1 || f.Sequence >= s.Sequence) {
		return fmt.Errorf("rewound_from: %d does not come before %d", f.Sequence, s.Sequence)
	}
	if s.Labels != nil && (len(s.Labels) == 0 || len(s.Labels) > maxLabels) {
		return fmt.Errorf("labels: %d are not between 1 and %d", len(s.Labels), maxLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		if checkShort(name) != nil || checkShort(s.Labels[name]) != nil {
			return fmt.Errorf("labels: %.80q: its name or value is empty, longer than %d bytes or not printable",
				name, maxShortText)
		}
	}
	if s.Role != "" && checkShort(s.Role) != nil {
		return fmt.Errorf("role: %.80q is longer than %d bytes or not printable", s.Role, maxShortText)
	}
	if e := s.LogEnd; e != nil && (e.VLSN < 0 || *e == (LogEnd{}) || e.Position != "" && checkShort(e.Position) != nil) {
		return errors.New("log_end: it has neither a VLSN nor a position, or an impossible one")
	}
	return s.checkNotesSize()
}

func (s *Summary) checkNotesSize() error {
	b, err := encodeJSON(&s.Notes)
	if err == nil && len(b) > MaxNotesBytes {
		err = fmt.Errorf("the fields from writer to log_end have %d bytes, more than %d", len(b), MaxNotesBytes)
	}
	return err
}

func checkGuards(all []Guard) error {
	if len(all) > maxAccepted {
		return fmt.Errorf("accepted: more than %d", maxAccepted)
	}
	for i, g := range all {
		if checkShort(string(g)) != nil || slices.Contains(all[:i], g) {
			return fmt.Errorf("accepted: %.80q is empty, longer than %d bytes, not printable or listed twice",
				g, maxShortText)
		}
	}
	return nil
}

// checkShort checks a text with the smaller limit that lets several texts fit into a summary.
func checkShort(s string) error {
	if err := checkText(s); err != nil {
		return err
	}
	if len(s) > maxShortText {
		return fmt.Errorf("longer than %d bytes", maxShortText)
	}
	return nil
}
