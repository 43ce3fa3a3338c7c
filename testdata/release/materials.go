package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"golang.org/x/mod/module"
)

const mainModule = "github.com/strongroom-dev/strongroom"

// writeBill writes the bill of materials of a program: the modules that it consists of, as CycloneDX in JSON.
func (r *release) writeBill(t target, info *debug.BuildInfo, program []byte) error {
	root := cyclonedx.Component{
		BOMRef: purl(mainModule, r.version), Type: cyclonedx.ComponentTypeApplication, Name: mainModule, Version: r.version,
		PackageURL: purl(mainModule, r.version) + "?goos=" + t.os + "&goarch=" + t.arch,
		Hashes:     sha256Hash(hex.EncodeToString(sha256Of(program))),
		Licenses:   &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
		Supplier:   &cyclonedx.OrganizationalEntity{Name: "strongroom", URL: &[]string{"https://" + mainModule}},
	}
	std := strings.TrimPrefix(info.GoVersion, "go")
	all := []cyclonedx.Component{{
		BOMRef: purl("std", std), Type: cyclonedx.ComponentTypeLibrary, Name: "std", Version: std, PackageURL: purl("std", std),
	}}
	for _, m := range info.Deps {
		all = append(all, libraryOf(m))
	}
	refs := make([]string, len(all))
	for i := range all {
		refs[i] = all[i].BOMRef
	}
	bill := cyclonedx.NewBOM()
	bill.Metadata = &cyclonedx.Metadata{Timestamp: r.date.Format(time.RFC3339), Component: &root}
	bill.Components = &all
	bill.Dependencies = &[]cyclonedx.Dependency{{Ref: root.BOMRef, Dependencies: &refs}}
	var out bytes.Buffer
	e := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	if err := e.EncodeVersion(bill, cyclonedx.SpecVersion1_6); err != nil {
		return fmt.Errorf("writing the bill of materials: %w", err)
	}
	return r.write(r.stem(t)+".cdx.json", out.Bytes())
}

// libraryOf returns a module as a part of the program. Its hash is that of go.sum.
func libraryOf(m *debug.Module) cyclonedx.Component {
	if m.Replace != nil {
		m = m.Replace
	}
	c := cyclonedx.Component{
		BOMRef: purl(m.Path, m.Version), Type: cyclonedx.ComponentTypeLibrary, Name: m.Path, Version: m.Version,
		PackageURL: purl(m.Path, m.Version),
	}
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(sum) == sha256.Size {
		c.Hashes = sha256Hash(hex.EncodeToString(sum))
	}
	return c
}

func purl(path, version string) string { return "pkg:golang/" + path + "@" + version }

func sha256Hash(value string) *[]cyclonedx.Hash {
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: value}}
}

func sha256Of(content []byte) []byte {
	sum := sha256.Sum256(content)
	return sum[:]
}

// aNotice matches the names of files with the terms of a license, at the top of a module.
var aNotice = regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|copyright|notice)([.-].*)?$`)

// notices returns the license of the program and those of what is linked into it. Most of them require that copies of
// the program have them.
func (r *release) notices(ctx context.Context, info *debug.BuildInfo) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("reading the directories of Go: %w", err)
	}
	dirs := strings.Fields(string(out))
	if len(dirs) != 2 {
		return nil, fmt.Errorf("go env printed %q, not two directories", out)
	}
	var text bytes.Buffer
	if err := appendNotices(&text, "strongroom "+r.version, r.root); err != nil {
		return nil, err
	}
	if err := appendNotices(&text, "The Go standard library", dirs[0]); err != nil {
		return nil, err
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		path, err := module.EscapePath(m.Path)
		if err != nil {
			return nil, fmt.Errorf("the module %s: %w", m.Path, err)
		}
		if err := appendNotices(&text, m.Path+" "+m.Version, filepath.Join(dirs[1], path+"@"+m.Version)); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// appendNotices appends the license of the code in a directory.
func appendNotices(to *bytes.Buffer, what, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the license of %s: %w", what, err)
	}
	found := false
	for _, e := range entries {
		if e.IsDir() || !aNotice.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("reading the license of %s: %w", what, err)
		}
		fmt.Fprintf(to, "%s: %s\n\n%s\n\n%s\n\n", what, e.Name(), bytes.ReplaceAll(bytes.TrimSpace(text), []byte("\r\n"), []byte("\n")), strings.Repeat("-", 80))
		found = true
	}
	if !found {
		return fmt.Errorf("%s has no license at its top", what)
	}
	return nil
}
