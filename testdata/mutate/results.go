package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// A result is a line of the file of results.
type result struct {
	Name    string  `json:"name"`
	Outcome outcome `json:"outcome"`
	Hash    string  `json:"hash"` // of the patch, or of the file that was changed
	Tree    string  `json:"tree"` // the hash of all code and tests
}

// results are the outcomes, saved in a file so that an interrupted run can continue.
type results struct {
	file *os.File
	tree string
	all  map[string]result
}

func openResults(path, tree string) (*results, error) {
	r := &results{tree: tree, all: map[string]result{}}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		var one result
		if json.Unmarshal(lines.Bytes(), &one) == nil { // else the line was cut
			r.all[one.Name] = one
		}
	}
	if r.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		_, err = r.file.WriteString("\n")
	}
	return r, err
}

// of returns the outcome of a mutation, or "" if it must be tried (again). Tests seldom change to find less, so a
// change of tests only repeats the survivors.
func (r *results) of(m *mutation) outcome {
	is, ok := r.all[m.Name]
	if !ok || is.Hash != m.Hash || is.Outcome == late || is.Outcome == survived && is.Tree != r.tree {
		return ""
	}
	return is.Outcome
}

func (r *results) add(m *mutation, is outcome) error {
	one := result{m.Name, is, m.Hash, r.tree}
	r.all[m.Name] = one
	b, err := json.Marshal(one)
	if err != nil {
		return err
	}
	_, err = r.file.Write(append(b, '\n'))
	return err
}

func (r *results) close() { r.file.Close() }

// summary prints the survivors. It returns an error if one of them is a patch, or if more than one in ten of the
// drawn mutations survived.
func (t *trial) summary(w io.Writer) error {
	count := map[bool]map[outcome]int{true: {}, false: {}} // by whether it is a patch
	for _, m := range t.tried {
		count[m.patch != ""][m.outcome]++
		if m.outcome == survived || m.outcome == late {
			fmt.Fprintf(w, "%s: %s\n%s", m.outcome, m.Name, m.describe())
		}
		if m.outcome == invalid && m.patch != "" {
			return fmt.Errorf("%s does not compile", m.Name)
		}
	}
	for _, isPatch := range []bool{true, false} {
		c, what := count[isPatch], "drawn mutations"
		if isPatch {
			what = "patches"
		}
		found := c[killed] + c[hung]
		fmt.Fprintf(w, "%d of %d %s that compile were found (%d hung); %d ran out of time\n",
			found, found+c[survived]+c[late], what, c[hung], c[late])
	}
	alive, all := count[false][survived]+count[false][late], count[false][killed]+count[false][hung]
	all += alive
	switch patches := count[true][survived] + count[true][late]; {
	case patches > 0:
		return fmt.Errorf("%d patches of testdata/mutations survived", patches)
	case alive*10 > all:
		return errors.New("more than one in ten of the drawn mutations survived")
	}
	return nil
}

// withoutEquivalent leaves out the mutations that a file lists. Each is listed by its name; the indented lines
// below give the reason why it has no effect that a test can observe.
func withoutEquivalent(drawn []mutation, path string) ([]mutation, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	equivalent := map[string]string{}
	last := ""
	for line := range strings.Lines(string(b)) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || strings.HasPrefix(line, "#"):
		case text != strings.TrimRight(line, " \n"):
			equivalent[last] += text
		default:
			last = text
			equivalent[last] = ""
		}
	}
	var left []mutation
	for i := range drawn {
		if why, ok := equivalent[drawn[i].Name]; !ok {
			left = append(left, drawn[i])
		} else if why == "" {
			return nil, fmt.Errorf("%s gives no reason for %s", path, drawn[i].Name)
		}
		delete(equivalent, drawn[i].Name)
	}
	for name := range equivalent {
		return nil, fmt.Errorf("%s lists a mutation that does not exist: %s", path, name)
	}
	return left, nil
}
