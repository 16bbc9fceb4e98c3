/** The style sheet that the plots share. Follows the reader's light or dark mode. */
export const plotStyle = `
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.paper { fill: #ffffff; stroke: #d1d9e0 }
.head { font-size: 20px; font-weight: 600 } .title { font-size: 14px; font-weight: 600 }
.soft, .tick, .ratio { fill: #59636e } .tick { font-size: 11px }
.figure { font-weight: 600; paint-order: stroke; stroke: #ffffff; stroke-width: 5px } .strong { fill: #1f2328; font-weight: 600 }
.floor { fill: #9aa4af } .own { fill: #0f7b6c } .peer { fill: #c77d2e }
.grid { stroke: #e4e8ec } .axis { stroke: #8c959f } .whisker { stroke: #424a53; stroke-width: 1.5 }
.limit { stroke: #a4262c; stroke-dasharray: 4 3 } .limit-words { font-size: 11px; fill: #a4262c }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .paper { fill: #0d1117; stroke: #30363d }
.figure { stroke: #0d1117 } .soft, .tick, .ratio { fill: #9198a1 } .strong { fill: #e6edf3 }
.floor { fill: #6e7681 } .own { fill: #2fb8a3 } .peer { fill: #d9944a }
.grid { stroke: #21262d } .axis { stroke: #6e7681 } .whisker { stroke: #c9d1d9 }
.limit { stroke: #ff7b72 } .limit-words { fill: #ff7b72 }
}`;
