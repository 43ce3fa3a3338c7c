package je_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
)

// JE's own printer counts the same entries as we do, in all and by type. It is JE 3.3,
// so that it reads logs of version 6.
func TestPrintLog(t *testing.T) {
	t.Parallel()
	t.Run("small", func(t *testing.T) { samePrint(t, small(t)) })
	t.Run("fixture", func(t *testing.T) { samePrint(t, entriestest.Fixture(t, "je6")) })
}

func samePrint(t *testing.T, files []entriestest.LogFile) {
	out := printLog(t, files)
	res := entriestest.Whole(t, je.NewReader, files)
	if got := printed(t, out, `(?m)^Total number of entries: ([0-9,]+)$`); got != res.Entries {
		t.Errorf("JE counts %d entries, we %d", got, res.Entries)
	}
	// Types by JE's names, as far as these logs have them.
	for name, kind := range map[string]byte{"LN_TX": 1, "MapLN": 4, "NameLN_TX": 5, "FileSummaryLN": 11, "IN": 12, "BIN": 13, "Root": 16, "Commit": 17, "CkptStart": 19, "CkptEnd": 20, "BINDelta": 22, "FileHeader": 25} {
		if got := printed(t, out, `(?m)^ +`+name+` +([0-9,]+) `); got != res.Types[kind] {
			t.Errorf("JE counts %d entries of type %s, we %d of type %d", got, name, res.Types[kind], kind)
		}
	}
}

// printed is the number that an expression finds.
func printed(t *testing.T, out, expression string) int64 {
	t.Helper()
	found := regexp.MustCompile(expression).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("nothing matches %s in\n%s", expression, out)
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(found[1], ",", ""), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// printLog runs JE's DbPrintLog over a copy of the files.
func printLog(t *testing.T, files []entriestest.LogFile) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a real JE; not with -short")
	}
	jar := cmp.Or(os.Getenv("STRONGROOM_JE_JAR"), "/usr/share/java/db-je.jar")
	if _, err := os.Stat(jar); err != nil {
		t.Fatalf("no JE: %v; install the Debian package libdb-je-java, set STRONGROOM_JE_JAR, or test with -short", err)
	}
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Bytes, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "java", "-cp", jar, "com.sleepycat.je.util.DbPrintLog", "-h", dir, "-S").CombinedOutput()
	if err != nil {
		t.Fatalf("DbPrintLog: %v\n%s", err, out)
	}
	return string(out)
}
