package main

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/rpm"
)

// maintainer is a name and an address, which packages require. It takes no mail: issues and SECURITY.md have the
// ways to report something.
const maintainer = "strongroom maintainers <strongroom-dev@users.noreply.github.com>"

// writePackages writes a target's packages in some formats, with a directory for intermediate files.
func (r *release) writePackages(t target, files []file, work string, formats ...string) error {
	more, err := r.packageFiles(files)
	if err != nil {
		return err
	}
	if err := writeTree(work, append(more, files...)); err != nil {
		return err
	}
	for _, format := range formats {
		if err := r.writePackage(format, t, work); err != nil {
			return fmt.Errorf("the %s package: %w", format, err)
		}
	}
	return nil
}

// packagers are those of all formats.
var packagers = map[string]nfpm.Packager{"deb": deb.Default, "rpm": rpm.DefaultRPM}

// writePackage writes a package of the files in a directory.
func (r *release) writePackage(format string, t target, files string) error {
	info, err := r.packageInfo(format, t, files)
	if err != nil {
		return err
	}
	name := packagers[format].ConventionalFileName(info)
	var content bytes.Buffer
	if err := packagers[format].Package(info, &content); err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	return r.write(name, content.Bytes())
}

// packageFiles returns what packages have in another form than archives: the unit, compressed texts, and what only
// Debian has.
func (r *release) packageFiles(files []file) ([]file, error) {
	more := []file{{name: "changelog", mode: 0o644, content: r.debianChangelog()}}
	for _, name := range []string{"copyright", "lintian"} {
		content, err := os.ReadFile(filepath.Join(r.root, "testdata", "release", "package", name))
		if err != nil {
			return nil, fmt.Errorf("reading a file of the package: %w", err)
		}
		more = append(more, file{name: name, mode: 0o644, content: content})
	}
	for _, f := range files {
		switch {
		case f.name == "systemd/strongroom.service":
			f.name = "strongroom.service"
			var err error
			if f.content, err = packagedUnit(f.content); err != nil {
				return nil, err
			}
		case f.name == "systemd/sysusers.conf":
			f.name = "sysusers.conf"
		case !strings.HasPrefix(f.name, "man/") && f.name != "NOTICES":
			continue
		}
		more = append(more, f)
	}
	for i := range more {
		f := &more[i]
		if f.name == "changelog" || f.name == "NOTICES" || strings.HasPrefix(f.name, "man/") {
			f.name += ".gz"
			var err error
			if f.content, err = compressed(f.content); err != nil {
				return nil, err
			}
		}
		f.name = "package/" + f.name
	}
	return more, nil
}

// debianChangelog returns the list of the package's versions, in the form that Debian's tools read.
func (r *release) debianChangelog() []byte {
	return fmt.Appendf(nil, `strongroom (%s) unstable; urgency=medium

  * /usr/share/doc/strongroom/CHANGELOG.md lists the changes.

 -- %s  %s
`, strings.TrimPrefix(r.version, "v"), maintainer, r.date.Format(time.RFC1123Z))
}

// packageInfo returns the description of a package in testdata/release/package, filled in for a target.
func (r *release) packageInfo(format string, t target, files string) (*nfpm.Info, error) {
	values := map[string]string{"FILES": files, "ARCH": t.arch, "VERSION": r.version, "MAINTAINER": maintainer}
	dir := filepath.Join(r.root, "testdata", "release", "package")
	config, err := nfpm.ParseFileWithEnvMapping(filepath.Join(dir, "nfpm.yaml"), func(name string) string { return values[name] })
	if err != nil {
		return nil, fmt.Errorf("reading nfpm.yaml: %w", err)
	}
	info, err := config.Get(format)
	if err != nil {
		return nil, fmt.Errorf("reading nfpm.yaml: %w", err)
	}
	info.MTime = r.date
	info.Scripts = nfpm.Scripts{
		PostInstall: filepath.Join(dir, "postinst.sh"),
		PreRemove:   filepath.Join(dir, "prerm.sh"),
		PostRemove:  filepath.Join(dir, "postrm.sh"),
	}
	info = nfpm.WithDefaults(info)
	if err := nfpm.Validate(info); err != nil {
		return nil, fmt.Errorf("checking nfpm.yaml: %w", err)
	}
	return info, nil
}

// writeTree writes files below a directory.
func writeTree(dir string, files []file) error {
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.name))
		err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(path.Dir(f.name))), 0o755)
		if err == nil {
			err = os.WriteFile(name, f.content, f.mode)
		}
		if err != nil {
			return fmt.Errorf("writing a file of the package: %w", err)
		}
	}
	return nil
}
