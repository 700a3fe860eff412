package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

// functions returns the functions of a language's templates. The folder holds the hand-written half.
func functions(language, folder string) template.FuncMap {
	if language == "go" {
		return template.FuncMap{
			"comment": func(text string) string { return comment("// ", text) },
			"example": func(name string) (string, error) { return goExample(folder, name) },
			"indent":  func(text string) string { return "\t" + strings.ReplaceAll(text, "\n", "\n\t") },
		}
	}
	return template.FuncMap{
		"comment": func(text string) string { return comment("   * ", strings.ReplaceAll(text, "*/", "*\u200b/")) },
		"example": func(name string) (string, error) { return typeScriptExample(folder, name) },
		"camel":   camel,
		"lower":   func(name string) string { return strings.ToLower(name[:1]) + name[1:] },
		"hey":     heyName,
		"result":  typeScriptResult,
	}
}

// typeScriptResult returns the TypeScript type of an operation's result, which the contract's model spells as in Go.
func typeScriptResult(name string) string {
	if item, isArray := strings.CutPrefix(name, "[]"); isArray {
		return item + "[]"
	}
	return name
}

// comment turns a text into the lines of a comment.
func comment(prefix, text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(prefix+line, " ")
	}
	return strings.Join(lines, "\n")
}

// goExample returns the body of an example for the README, without its server, set-up and output. The name may be a
// whole signature.
func goExample(folder, name string) (string, error) {
	if !strings.Contains(name, "(") {
		name += "()"
	}
	files, err := filepath.Glob(filepath.Join(folder, "example_*.go"))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := example(file, "func "+name+" {\n", "\t", "\tserve",
			"support, err := client.New()\nif err != nil {\n\tlog.Fatal(err)\n}\n")
		if !errors.Is(err, errNoExample) {
			return text, err
		}
	}
	return "", fmt.Errorf("%w: %s", errNoExample, name)
}

// typeScriptExample returns the body of an example for the README. The name may be a whole signature.
func typeScriptExample(folder, name string) (string, error) {
	if !strings.Contains(name, "(") {
		name += "()"
	}
	return example(filepath.Join(folder, "examples.js"), "export async function "+name+" {\n", "  ", "",
		"const support = createSupport();\n")
}

var errNoExample = errors.New("there is no such example")

// example returns the body of a function that the tests compile and run. It drops the first line if that begins with
// skipped, the set-up, which readers need only once, and the output.
func example(file, head, indent, skipped, setUp string) (string, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	_, rest, isThere := strings.Cut(string(source), head)
	body, _, isWhole := strings.Cut(rest, "\n}\n")
	if !isThere || !isWhole {
		return "", fmt.Errorf("%w in %s: %s", errNoExample, file, head)
	}
	if skipped != "" && strings.HasPrefix(body, skipped) {
		_, body, _ = strings.Cut(body, "\n")
	}
	body, _, _ = strings.Cut(body, "\n"+indent+"// Output:")
	body = strings.ReplaceAll("\n"+body, "\n"+indent, "\n")
	return strings.TrimSpace(strings.TrimPrefix(body[1:], setUp)), nil
}

// camel turns a parameter's name in the contract into an argument's: ticket_id is ticketId.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i := range parts[1:] {
		parts[i+1] = strings.ToUpper(parts[i+1][:1]) + parts[i+1][1:]
	}
	return strings.Join(parts, "")
}

var initialism = regexp.MustCompile(`([A-Z])([A-Z]+)([A-Z][a-z]|$)`)

// heyName returns an operation's name as openapi-ts spells it in types: StreamAIResponseByID is StreamAiResponseById.
func heyName(id string) string {
	return initialism.ReplaceAllStringFunc(id, func(match string) string {
		parts := initialism.FindStringSubmatch(match)
		return parts[1] + strings.ToLower(parts[2]) + parts[3]
	})
}
