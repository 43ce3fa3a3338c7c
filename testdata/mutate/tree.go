package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// copyTree makes the copy to which mutations are applied: the working tree's files that git tracks or would track.
// With -trimpath the copy's name has no effect on compilation, so the working tree's build cache can be used.
func copyTree(ctx context.Context, state string) (string, error) {
	tree, err := filepath.Abs(filepath.Join(state, "tree"))
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(tree); err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("listing the files of the tree: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if err := copyFile(name, filepath.Join(tree, name)); err != nil {
			return "", fmt.Errorf("copying the tree: %w", err)
		}
	}
	return tree, nil
}

// copyFile copies one file. It ignores a missing file, which git tracks and which was deleted.
func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}

// treeHashes returns a hash of the code, and one of the code with its tests.
func treeHashes(dir string) (code, both string, err error) {
	sums := []hash.Hash{sha256.New(), sha256.New()}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(name, filepath.Join("testdata", "mutate")) {
			return nil // this command
		}
		fmt.Fprintf(sums[1], "%s %d\n%s", name, len(b), b)
		if !strings.HasSuffix(name, "_test.go") {
			fmt.Fprintf(sums[0], "%s %d\n%s", name, len(b), b)
		}
		return nil
	})
	return hex.EncodeToString(sums[0].Sum(nil))[:16], hex.EncodeToString(sums[1].Sum(nil))[:16], err
}
