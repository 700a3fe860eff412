package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

// functions are those of the templates of a language, whose hand-written half is in the folder.
func functions(language, folder string) template.FuncMap {
	if language == "go" {
		return template.FuncMap{
			"comment": func(text string) string { return comment("// ", text) },
			"example": func(name string) (string, error) { return goExample(folder, name) },
		}
	}
	return template.FuncMap{
		"comment": func(text string) string { return comment("   * ", strings.ReplaceAll(text, "*/", "*\u200b/")) },
		"example": func(name string) (string, error) { return typeScriptExample(folder, name) },
		"camel":   camel,
		"lower":   func(name string) string { return strings.ToLower(name[:1]) + name[1:] },
		"hey":     heyName,
	}
}

// comment makes the lines of a text those of a comment.
func comment(prefix, text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(prefix+line, " ")
	}
	return strings.Join(lines, "\n")
}

// goExample returns the body of an example for the README: without its server, the set-up and the output.
func goExample(folder, name string) (string, error) {
	return example(filepath.Join(folder, "example_test.go"), "func "+name+"() {\n", "\t", "\tserve(",
		"support, err := client.New()\nif err != nil {\n\tlog.Fatal(err)\n}\n")
}

// typeScriptExample returns the body of an example for the README. The name may be a whole signature.
func typeScriptExample(folder, name string) (string, error) {
	if !strings.Contains(name, "(") {
		name += "()"
	}
	return example(filepath.Join(folder, "examples.js"), "export async function "+name+" {\n", "  ", "",
		"const support = createSupport();\n")
}

// example returns the body of a function, which is compiled and run as a test, without the first line if that begins with
// skipped, without the set-up, which is only worth reading once, and without the output.
func example(file, head, indent, skipped, setUp string) (string, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	_, rest, isThere := strings.Cut(string(source), head)
	body, _, isWhole := strings.Cut(rest, "\n}\n")
	if !isThere || !isWhole || !strings.HasPrefix(body, cmp.Or(skipped, indent)) {
		return "", fmt.Errorf("there is no such example in %s: %s", file, head)
	}
	if skipped != "" {
		_, body, _ = strings.Cut(body, "\n")
	}
	body, _, _ = strings.Cut(body, "\n"+indent+"// Output:")
	body = strings.ReplaceAll("\n"+body, "\n"+indent, "\n")
	return strings.TrimSpace(strings.TrimPrefix(body[1:], setUp)), nil
}

// camel makes the contract's name of a parameter one of an argument: ticket_id is ticketId.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i := range parts[1:] {
		parts[i+1] = strings.ToUpper(parts[i+1][:1]) + parts[i+1][1:]
	}
	return strings.Join(parts, "")
}

var initialism = regexp.MustCompile(`([A-Z])([A-Z]+)([A-Z][a-z]|$)`)

// heyName is what openapi-ts calls an operation in the names of its types: StreamAIResponseByID is StreamAiResponseById.
func heyName(id string) string {
	return initialism.ReplaceAllStringFunc(id, func(match string) string {
		parts := initialism.FindStringSubmatch(match)
		return parts[1] + strings.ToLower(parts[2]) + parts[3]
	})
}
