package localstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// savedWriter is the content of the file that identifies the state directory.
type savedWriter struct {
	Writer string `json:"writer"` // UUIDv4
}

func (s *State) writerPath() string { return filepath.Join(s.Dir, "writer.json") }

// Writer returns the id that the manifests of this state directory have as their writer. Empty means that the
// directory has none yet.
func (s *State) Writer() (string, error) {
	b, err := s.read(s.writerPath(), maxWriterBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", unusable(s.writerPath(), err)
	}
	var is savedWriter
	if err := json.Unmarshal(b, &is); err != nil {
		return "", nil // it was damaged; MakeWriter replaces it
	}
	if id, err := uuid.Parse(is.Writer); err != nil || id.Version() != 4 || id.String() != is.Writer {
		return "", nil
	}
	return is.Writer, nil
}

// MakeWriter is Writer, but makes an id if the directory has none.
func (s *State) MakeWriter() (string, error) {
	if id, err := s.Writer(); id != "" || err != nil {
		return id, err
	}
	b, err := json.Marshal(savedWriter{uuid.NewString()})
	if err != nil {
		return "", fmt.Errorf("encoding the local state: %w", err)
	}
	if err := s.write(s.writerPath(), append(b, '\n'), maxWriterBytes); err != nil {
		return "", err
	}
	return s.Writer() // of two processes that make one at the same time, the later one's counts
}

// fullTriedBytes is the size from which on the file of the manifests that were about to be committed begins again.
// Several processes may append to it at the same time.
const fullTriedBytes = maxTriedBytes / 4

// triedPath is the file with the manifests that this host was about to commit, one a line.
func (s *State) triedPath(id string) string {
	return s.beside(id, ".tried")
}

func triedLine(ref manifest.Ref) string { return fmt.Sprintf("%d %s\n", ref.Sequence, ref.SHA256) }

// SaveTried records a manifest that this host is about to commit to an archive, durably. Several processes may record
// theirs at the same time.
func (s *State) SaveTried(id string, ref manifest.Ref) error {
	name, line := s.triedPath(id), []byte(triedLine(ref))
	return change(name, func() error {
		err := appendLine(name, line)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errFull) {
			return s.replace(name, line)
		}
		if err != nil {
			return fmt.Errorf("writing the local state: %w", err)
		}
		return nil
	})
}

// errFull means that a file has as many lines as are kept.
var errFull = errors.New("the file is full")

// appendLine adds a line to an existing file, durably.
func appendLine(name string, line []byte) (err error) {
	f, err := disk.OpenRegular(name, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > fullTriedBytes {
		return errFull
	}
	if _, err := f.Write(line); err != nil {
		return err
	}
	return syncFile(f)
}

// HasTried reports whether this host was about to commit a manifest.
func (s *State) HasTried(id string, ref manifest.Ref) (bool, error) {
	b, err := s.read(s.triedPath(id), maxTriedBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, unusable(s.triedPath(id), err)
	}
	return strings.Contains("\n"+string(b), "\n"+triedLine(ref)), nil
}
