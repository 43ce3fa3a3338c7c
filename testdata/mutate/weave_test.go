package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const toy = `package main

import "os"

type T struct{ n int }

func (T) several(_ int, rest ...string) bool { return len(rest) > 1 }

func add(a, b int) int { return a + b }

func text(a string) string { return a + a }

func leave() { panic("not left out") }

func main() {
	defer func() { recover(); os.Exit(0) }()
	if (T{}).several(1, "one") {
		println("several")
	}
	println(add(2, 1), text("x"))
	leave()
}
`

// Each mutation must have the effect in its name, and only when it is chosen: otherwise a mutation
// counts as a survivor because it was never there, or as found because another one was.
func TestEachMutationIsThereWhenChosen(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"toy/main.go": toy, "go.mod": "module toy\n\ngo 1.26\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-mod=mod")
	sites, err := sitesOf("toy/main.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[int]*mutation{}
	numbers := map[string]int{}
	for i := range sites {
		all[i+1], numbers[sites[i].Name] = &sites[i], i+1
	}
	tr := &trial{options: &options{state: t.TempDir()}, tree: dir, src: map[string][]byte{}}
	bad, err := tr.weave(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "toy")
	if out, err := tr.goDo(t.Context(), "build", "-o", binary, "./toy"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]string{
		"":                                  "3 xx",
		"(T).several: len(rest) > 1 has >=": "several\n3 xx",
		"add: a + b has -":                  "1 xx",
		`main: if (T{}).several(1, "one") is negated`:       "several\n3 xx",
		"main: println(add(2, 1), text(\"x\")) is left out": "",
	} {
		choice := ""
		if name != "" {
			number, ok := numbers["toy/main.go "+name]
			if !ok || bad[number] {
				t.Errorf("there is no mutation %s; there are %v", name, numbers)
				continue
			}
			choice = chosen + "=" + strconv.Itoa(number)
		}
		out, err := tr.runIn(t.Context(), ".", choice, binary)
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", name, got, err, want)
		}
	}
	if text := numbers["toy/main.go text: a + a has -"]; !bad[text] {
		t.Error("texts cannot be subtracted, and that was not noticed")
	}
	if len(bad) != 1 {
		t.Errorf("these do not compile: %v of %v", bad, numbers)
	}
}
