package main

import (
	"strings"
	"testing"
)

// The picture has the steps that differ, and no line is wider than it.
func TestSession(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0123456789abcdef", 4)
	lines := session("\n== A database writes\n$ strongroom backup\n\n== And once more\n$ again\n\n== One bit of data/" + hash +
		"-1 is flipped\n" + strings.Repeat("word ", 40) + "\n\nAll files are in /tmp/demo\nadvice\n")
	text := strings.Join(lines, "\n")
	if !strings.HasPrefix(text, "== A database writes\n$ strongroom backup\n") || !strings.Contains(text, "data/01234567…-1") {
		t.Error(text)
	}
	for _, not := range []string{"again", "advice", hash} {
		if strings.Contains(text, not) {
			t.Errorf("%q is in %s", not, text)
		}
	}
	for _, line := range lines {
		if len([]rune(line)) > columns {
			t.Errorf("too wide: %q", line)
		}
	}
	if picture := svg([]string{"$ a <b>"}, light); !strings.Contains(picture, "$\u00a0a\u00a0&lt;b&gt;</text>") || !strings.HasSuffix(picture, "</svg>\n") {
		t.Error(picture)
	}
}
