package docs

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// guideFiles are in the order of their numbers. The title is a file's first line.
//
//go:embed guides/*.md
var guideFiles embed.FS

// guidesName is the path of the list of guides; the guides are below it.
const (
	guidesName = "guides"
	// rulesName is the path of the sections of the contract's description.
	rulesName = "rules"

	// A guide covers the first steps, and errors have their own pages.
	sectionFirstSteps = "First steps"
	sectionErrors     = "Errors"
)

var markdown = goldmark.New(goldmark.WithExtensions(extension.Table))

// guide is a page of prose: for a task, or a section of the contract's description.
type guide struct {
	Slug, Title string
	// Text is Markdown. It is ours, and the renderer drops HTML.
	Text string
}

// guideGroup is a section of the list of guides.
type guideGroup struct {
	// Path is where its guides are.
	Heading, Path string
	Guides        []guide
}

// render writes the guide's text as HTML.
func (g guide) render(w io.Writer) error { return markdown.Convert([]byte(g.Text), w) }

// readGuides reads the guides and the sections of the contract's description.
func readGuides(description string) ([]guideGroup, error) {
	tasks := guideGroup{Heading: "Step by step", Path: guidesName}
	err := fs.WalkDir(guideFiles, "guides", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		source, err := guideFiles.ReadFile(file)
		if err != nil {
			return err
		}
		_, slug, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".md"), "-")
		title, text, _ := strings.Cut(strings.TrimPrefix(string(source), "# "), "\n")
		tasks.Guides = append(tasks.Guides, guide{Slug: slug, Title: title, Text: text})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("docs: embedded guides: %w", err)
	}
	rules := guideGroup{Heading: "The rules of the API", Path: rulesName}
	for i, section := range strings.Split("\n"+description, "\n## ") {
		title, text, _ := strings.Cut(section, "\n")
		if i == 0 || title == sectionFirstSteps || title == sectionErrors {
			continue
		}
		rules.Guides = append(rules.Guides, guide{Slug: strings.ReplaceAll(strings.ToLower(title), " ", "-"), Title: title, Text: text})
	}
	return []guideGroup{tasks, rules}, nil
}
