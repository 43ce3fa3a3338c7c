package encoding

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"filippo.io/age"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// IdentityVariable is the environment variable that names an identity file.
const IdentityVariable = "STRONGROOM_IDENTITY_FILE"

// LoadIdentities reads age identity files as age-keygen writes them, with one private key per line. Without an
// argument, it reads the file that IdentityVariable names. If that is not set either, it returns no identities and
// no error. Errors name the file and never contain its content. A file may be a pipe. LoadIdentities waits for it for
// minutes at most, and no longer than until ctx ends.
func LoadIdentities(ctx context.Context, files ...string) ([]age.Identity, error) {
	origin := ""
	if name := os.Getenv(IdentityVariable); len(files) == 0 && name != "" {
		files, origin = []string{name}, " (named by "+IdentityVariable+")"
	}
	var all []age.Identity
	for _, name := range files {
		ids, err := loadIdentityFile(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("identity file %s%s: %w", name, origin, err)
		}
		all = append(all, ids...)
	}
	return all, nil
}

// maxIdentityFile is far above the size of any identity file. It prevents that a device or a large file is read
// whole by mistake.
const maxIdentityFile = 1 << 20

func loadIdentityFile(ctx context.Context, name string) ([]age.Identity, error) {
	text, err := disk.ReadInput(ctx, name, maxIdentityFile+1)
	defer clear(text)
	if wrong, is := errors.AsType[*os.PathError](err); is {
		err = wrong.Err // without the name, which the caller adds
	}
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxIdentityFile:
		return nil, fmt.Errorf("it has more than %d bytes", maxIdentityFile)
	case bytes.HasPrefix(text, []byte("age-encryption.org/")), bytes.HasPrefix(text, []byte("-----BEGIN AGE ENCRYPTED FILE-----")):
		return nil, errors.New("it is encrypted; decrypt it first (age -d), to a file that only you can read")
	case bytes.HasPrefix(text, []byte("-----BEGIN")):
		return nil, errors.New("it is a key of SSH or another program; strongroom accepts keys of age-keygen")
	}
	// Lines of files written on Windows end in two characters, and age accepts only one.
	ids, err := age.ParseIdentities(bytes.NewReader(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
	if err != nil {
		return nil, fmt.Errorf("%w; it should be a file of age-keygen, with a line AGE-SECRET-KEY-1…", err)
	}
	return ids, nil
}

// publicKeys returns the public keys of the identities that state one.
func publicKeys(ids []age.Identity) []string {
	var keys []string
	for _, id := range ids {
		switch id := id.(type) {
		case *age.X25519Identity:
			keys = append(keys, id.Recipient().String())
		case *age.HybridIdentity:
			keys = append(keys, id.Recipient().String())
		}
	}
	return keys
}
