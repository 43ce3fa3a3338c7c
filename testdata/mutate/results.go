package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// What becomes of a mutation.
const (
	killed   = "killed"   // a test failed, or took too long
	survived = "SURVIVED" // no test noticed
	invalid  = "invalid"  // it does not compile
)

// A result is a line of the file of results.
type result struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
}

// results are those of one state of the tree, kept in a file so that a run can go on.
type results struct {
	file *os.File
	all  map[string]string
}

func openResults(path, tree string) (*results, error) {
	r := &results{all: map[string]string{}}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	head := tree + "\n"
	if !bytes.HasPrefix(b, []byte(head)) {
		if err := os.WriteFile(path, []byte(head), 0o644); err != nil {
			return nil, err
		}
		b = nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		var one result
		if json.Unmarshal(lines.Bytes(), &one) == nil {
			r.all[one.Name] = one.Outcome
		}
	}
	r.file, err = os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
	return r, err
}

func (r *results) of(name string) (result, bool) {
	outcome, ok := r.all[name]
	return result{name, outcome}, ok
}

func (r *results) add(one result) error {
	r.all[one.Name] = one.Outcome
	b, err := json.Marshal(one)
	if err != nil {
		return err
	}
	_, err = r.file.Write(append(b, '\n'))
	return err
}

func (r *results) close() { r.file.Close() }

// summary prints the survivors and fails if a patch is among them, or more than one in ten.
func (r *results) summary(w io.Writer, all []mutation, only string) error {
	var dead, alive, patches int
	for _, m := range all {
		if !strings.Contains(m.Name, only) {
			continue
		}
		switch r.all[m.Name] {
		case killed:
			dead++
		case survived:
			alive++
			if m.Why != "" {
				patches++
			}
			fmt.Fprintf(w, "survived: %s\n%s", m.Name, m.describe())
		}
	}
	fmt.Fprintf(w, "%d of %d mutations that compile were found\n", dead, dead+alive)
	switch {
	case patches > 0:
		return fmt.Errorf("%d patches of testdata/mutations survived", patches)
	case alive*10 > dead+alive:
		return errors.New("more than one in ten mutations survived")
	}
	return nil
}

// treeHash names the state of a tree, so that results of another one do not count.
func treeHash(dir string) string {
	sum := sha256.New()
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(b), b)
		return err
	})
	return fmt.Sprintf("%x", sum.Sum(nil))
}
