package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// docCommand is a command of the program in an indented block of a document, with or without a path before it.
	docCommand = regexp.MustCompile(`(?m)^ {4,}(?:bin/)?strongroom ([a-z].*)$`)
	// docMention is a command of the program within a sentence or table.
	docMention = regexp.MustCompile("`(?:bin/)?strongroom ([a-z][a-z][^`]*)`")
	// docFlag is a flag in a command or a usage line.
	docFlag = regexp.MustCompile(`--([a-z][a-z-]*)`)
	// docEnd is where a command ends: at a comment, a redirection or another command.
	docEnd = regexp.MustCompile(`\s(?:#|>|&&|\||2>)|>`)
)

// Readers type what the documents have. Each command exists, and so do its flags. A line of a block without an
// ellipsis or brackets is one that the program accepts as it is.
func TestDocumentsHaveCommandsThatExist(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	whole, mentions := 0, 0
	for _, page := range append(pages, "../../README.md", "../../config/starter.yaml") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), "\\\n", "")
		for _, m := range docCommand.FindAllStringSubmatch(text, -1) {
			if flagsExist(t, page, m[1]) && !strings.ContainsAny(m[1], "…[]") {
				whole++
				accepts(t, page, m[1])
			}
		}
		for _, m := range docMention.FindAllStringSubmatch(text, -1) {
			mentions++
			flagsExist(t, page, m[1])
		}
	}
	if whole < 40 || mentions < 100 {
		t.Errorf("the documents have %d commands in blocks and %d in sentences: are they found?", whole, mentions)
	}
}

// flagsExist reports whether the command of a line exists, with each of its flags.
func flagsExist(t *testing.T, page, line string) bool {
	t.Helper()
	line, _, _ = strings.Cut(line, " #")
	words := strings.Fields(line)
	name := strings.TrimSuffix(words[0], ",")
	root := (&app{}).command()
	root.InitDefaultHelpCmd()
	found, _, err := root.Find([]string{name})
	if err != nil || !found.HasParent() {
		t.Errorf("%s: %q is no command: %v", page, line, err)
		return false
	}
	found.InitDefaultHelpFlag()
	for _, flag := range docFlag.FindAllStringSubmatch(line, -1) {
		if found.Flags().Lookup(flag[1]) == nil && found.InheritedFlags().Lookup(flag[1]) == nil {
			t.Errorf("%s: %q: %s has no flag --%s", page, line, found.Name(), flag[1])
		}
	}
	return true
}

// accepts parses a line as the program does, up to docEnd.
func accepts(t *testing.T, page, line string) {
	t.Helper()
	if i := docEnd.FindStringIndex(line); i != nil {
		line = line[:i[0]]
	}
	words, ok := shellWords("strongroom " + line)
	if !ok {
		t.Errorf("%s: %q has an open quote", page, line)
		return
	}
	found, args, err := (&app{}).command().Find(words[1:])
	if err == nil {
		err = found.ParseFlags(args)
	}
	if err == nil {
		err = found.ValidateArgs(found.Flags().Args())
	}
	if err != nil {
		t.Errorf("%s: strongroom %s: %v", page, line, err)
	}
}
