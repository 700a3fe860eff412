package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
)

// goType is a type of the plain client that the SDK names too.
type goType struct {
	Name, Doc string
	Constants []string
}

// handWritten has the types of the plain client for which the SDK has its own.
var handWritten = []string{"Problem"}

// readGoTypes finds the types that methods take or return, and those that these consist of, in the generated file.
func (c *contract) readGoTypes(file string) error {
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	types, docs, constants := map[string]ast.Expr{}, map[string]string{}, map[string][]string{}
	for _, declaration := range source.Decls {
		group, isGroup := declaration.(*ast.GenDecl)
		if !isGroup {
			continue
		}
		for _, spec := range group.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				types[spec.Name.Name], docs[spec.Name.Name] = spec.Type, group.Doc.Text()
			case *ast.ValueSpec:
				if of, isNamed := spec.Type.(*ast.Ident); isNamed && group.Tok == token.CONST {
					constants[of.Name] = append(constants[of.Name], spec.Names[0].Name)
				}
			}
		}
	}
	reached := map[string]bool{}
	var reach func(name string)
	reach = func(name string) {
		if types[name] == nil || reached[name] {
			return
		}
		reached[name] = true
		ast.Inspect(types[name], func(node ast.Node) bool {
			if used, isName := node.(*ast.Ident); isName {
				reach(used.Name)
			}
			return true
		})
	}
	for _, name := range c.goRoots() {
		reach(name)
	}
	for name := range reached {
		if !slices.Contains(handWritten, name) {
			c.GoTypes = append(c.GoTypes, goType{Name: name, Doc: docs[name], Constants: constants[name]})
		}
	}
	slices.SortFunc(c.GoTypes, func(a, b goType) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// goRoots are the types that the methods' signatures name, and that of errors. Events are hand-written.
func (c *contract) goRoots() []string {
	roots := append(c.Types(), "Problem")
	for _, o := range c.Queried() {
		roots = append(roots, o.ID+"Params")
	}
	return roots
}
