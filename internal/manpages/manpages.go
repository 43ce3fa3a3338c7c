// Package manpages writes the manual pages of the program from its commands. Only the build of a release and tests
// import it, since what it needs would enlarge the program.
package manpages

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Write writes a page for root and for each command below it into an existing directory, such as
// strongroom-backup.1. It changes the commands. The date of the pages is SOURCE_DATE_EPOCH or, without it, the current
// one.
func Write(dir string, root *cobra.Command, version string) error {
	root.InitDefaultVersionFlag()
	root.DisableAutoGenTag = true // it has the day of the build
	prepare(root)
	root.Long = root.Short + ".\n\n" + reference
	header := &doc.GenManHeader{Section: "1", Source: "strongroom " + version, Manual: "strongroom manual"}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("writing the manual pages: %w", err)
	}
	return nil
}

// prepare makes Markdown of the texts of a command and of those below it.
func prepare(c *cobra.Command) {
	c.Long = unwrap(c.Long)
	for _, below := range c.Commands() {
		prepare(below)
	}
}

// unwrap returns a text with one line for each paragraph. Otherwise a line that happens to begin with "5." begins a
// list.
func unwrap(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, "\t") && !strings.HasPrefix(p, "#") && !strings.Contains(p, "\n\t") {
			paragraphs[i] = strings.ReplaceAll(p, "\n", " ")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// reference is the part of the page strongroom(1) that no command has.
const reference = `ARCHIVE is a name from the configuration or a URL, such as file:///mnt/backup/orders or
s3://backups/orders?region=eu-central-1. At its end, @42, @latest, @2026-11-22T23:00:00Z or @-2h names a snapshot.
Results go to standard output, logs and progress to standard error.

# ENVIRONMENT

**STRONGROOM_CONFIG**
: the configuration, if there is no --config

**STRONGROOM_STATE_DIR**
: the directory for local state, if the configuration has no state_dir

**STRONGROOM_IDENTITY_FILE**
: the file with the age identities that decrypt content, if there is no --identity

**TMPDIR**
: the directory for large files while they are compressed or encrypted, and for drills

Credentials come from where the provider's own tools read them.

# FILES

**strongroom.yaml**, **/etc/strongroom/strongroom.yaml**
: the configuration; the first that exists

**~/.local/state/strongroom**, **/var/lib/strongroom**
: the local state of a user, and that of the service

# EXIT STATUS

**0**
: done

**1**
: failed

**2**
: wrong usage or configuration

**3**
: data is damaged or missing

**4**
: no such archive, snapshot or file

**5**
: another writer was first, or the source does not fit the archive

**130**
: interrupted
`
