// Command mutate checks that the tests of the contract find faults. In a copy of the tree, it breaks the product or the
// contract in one way after the other, and runs the tests that must fail. Run it from the directory internal/tools:
//
//	go run ./mutate [-limit 10m] [-check] [NAME...]
//
// It exits with 1 if a mutant survives, no longer applies, or was not tested before the time limit. With -check, it only
// checks that the mutants apply.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// testTimeout is the timeout of the tests of one mutant.
	testTimeout = "180s"

	contractFile = "openapi.yaml"
	testPackage  = "./internal/tests/api"
)

// mutant is one way to break the product.
type mutant struct {
	name string
	file string
	// from must occur in the file exactly once; to replaces it.
	from, to string
	// tests is the pattern of the tests that must fail.
	tests string
}

// apply returns the mutant's file in the tree dir, as it is and with the mutant.
func (m mutant) apply(dir string) (healthy, broken []byte, err error) {
	healthy, err = os.ReadFile(filepath.Join(dir, m.file))
	if err != nil {
		return nil, nil, err
	}
	if n := bytes.Count(healthy, []byte(m.from)); n != 1 {
		return nil, nil, fmt.Errorf("%s has the text %d times instead of once: %q", m.file, n, m.from)
	}
	return healthy, bytes.Replace(healthy, []byte(m.from), []byte(m.to), 1), nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	limit := flag.Duration("limit", 10*time.Minute, "how long all mutants together may take")
	onlyCheck := flag.Bool("check", false, "check only that the mutants apply")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if err := run(ctx, flag.Args(), *onlyCheck); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string, onlyCheck bool) error {
	chosen := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool {
		return len(names) > 0 && !slices.Contains(names, m.name)
	})
	if len(chosen) == 0 {
		return fmt.Errorf("no mutant has this name")
	}
	root := filepath.Join("..", "..")
	for _, m := range chosen {
		if _, _, err := m.apply(root); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if onlyCheck {
		return nil
	}
	dir, err := os.MkdirTemp("", "support-mutate-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := copyTree(ctx, root, dir); err != nil {
		return err
	}
	if err := requireHealthy(ctx, dir, chosen); err != nil {
		return err
	}
	var survivors []string
	for _, m := range chosen {
		begin := time.Now()
		verdict, err := try(ctx, dir, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if verdict == survived {
			survivors = append(survivors, m.name)
		}
		fmt.Printf("%-9s %-34s %3.0fs  %s\n", verdict, m.name, time.Since(begin).Seconds(), m.tests)
	}
	fmt.Printf("%d of %d mutants were caught\n", len(chosen)-len(survivors), len(chosen))
	if len(survivors) > 0 {
		return fmt.Errorf("survivors: %s", strings.Join(survivors, ", "))
	}
	return nil
}

// copyTree copies all files that are not ignored, as they are now.
func copyTree(ctx context.Context, from, to string) error {
	list := exec.CommandContext(ctx, "git", "-C", from, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	names, err := list.Output()
	if err != nil {
		return fmt.Errorf("list the files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(from, name))
		if os.IsNotExist(err) {
			continue // The file was removed, but the removal is not committed.
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// requireHealthy checks that the tests pass without mutants, because otherwise their failures mean nothing.
func requireHealthy(ctx context.Context, dir string, chosen []mutant) error {
	var patterns []string
	for _, m := range chosen {
		patterns = append(patterns, m.tests)
	}
	slices.Sort(patterns)
	output, err := test(ctx, dir, strings.Join(slices.Compact(patterns), "|"))
	if err != nil {
		return fmt.Errorf("the tests fail without any mutant: %w\n%s", err, output)
	}
	return nil
}

const (
	caught   = "caught"
	survived = "SURVIVED"
)

// try applies a mutant to the copy, runs the tests, and restores the copy. A mutant that does not compile counts as
// caught: the generated code exists for that.
func try(ctx context.Context, dir string, m mutant) (verdict string, err error) {
	healthy, broken, err := m.apply(dir)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, m.file)
	if err := os.WriteFile(path, broken, 0o644); err != nil {
		return "", err
	}
	if err := generate(ctx, dir, m); err != nil {
		return "", err
	}
	_, failure := test(ctx, dir, m.tests)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err := os.WriteFile(path, healthy, 0o644); err != nil {
		return "", err
	}
	if err := generate(ctx, dir, m); err != nil {
		return "", err
	}
	if failure == nil {
		return survived, nil
	}
	return caught, nil
}

// generate regenerates the contract's Go code if the mutant changes the contract.
func generate(ctx context.Context, dir string, m mutant) error {
	if m.file != contractFile {
		return nil
	}
	for _, kind := range []string{"server", "client"} {
		config := "internal/tools/oapi-codegen." + kind + ".yaml"
		output, err := command(ctx, dir, "go", "tool", "-modfile=internal/tools/go.mod", "oapi-codegen", "-config", config, contractFile)
		if err != nil {
			return fmt.Errorf("generate the %s: %w\n%s", kind, err, output)
		}
	}
	output, err := command(ctx, dir, "go", "run", "-C", "internal/tools", "./specjson", "../../"+contractFile, "../../gen/api")
	if err != nil {
		return fmt.Errorf("generate the JSON: %w\n%s", err, output)
	}
	contract, err := os.ReadFile(filepath.Join(dir, contractFile))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "gen", "api", contractFile), contract, 0o644)
}

// test runs the tests that match the pattern. A pattern without tests is an error, not a success.
func test(ctx context.Context, dir, pattern string) (output string, err error) {
	output, err = command(ctx, dir, "go", "test", testPackage, "-count=1", "-timeout="+testTimeout, "-run="+pattern)
	if err == nil && strings.Contains(output, "no tests to run") {
		return output, fmt.Errorf("no test matches %s", pattern)
	}
	return output, err
}

func command(ctx context.Context, dir, name string, args ...string) (output string, err error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	// The tests stop their own PostgreSQL, so they are interrupted rather than killed.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	var text bytes.Buffer
	c.Stdout, c.Stderr = &text, &text
	err = c.Run()
	return text.String(), err
}
