/* HTML for the relay's pages; see page.h. */
#include "relay/page.h"

#include <stdarg.h>
#include <string.h>

#include "base/err.h"

static const char STYLE[] =
    ":root{color-scheme:light dark;--line:#767676;--go:#0b5cad;--bad:#b3261e}\n"
    "@media (prefers-color-scheme:dark){"
    ":root{--line:#949494;--go:#8ab8ff;--bad:#ffb4ab}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "header,main,footer{max-width:40rem;margin:0 auto;padding:.75rem 1rem}\n"
    "header{border-bottom:1px solid var(--line);display:flex;flex-wrap:wrap;"
    "gap:.25rem 1rem;align-items:baseline}\n"
    "header p{margin:0;font-weight:600;flex:1}\n"
    "nav ul{margin:0;padding:0;list-style:none;display:flex;flex-wrap:wrap;"
    "gap:0 1rem}\n"
    "a{color:var(--go)}\n"
    "h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0 1rem}\n"
    "h2{font-size:1.15rem;margin:2rem 0 .5rem}\n"
    "label{display:block;font-weight:600;margin-top:1rem}\n"
    "fieldset{border:1px solid var(--line);margin:1rem 0;padding:.5rem 1rem}\n"
    "fieldset label{font-weight:400;margin:.25rem 0}\n"
    "input[type=text],input[type=email],input[type=password],"
    "select{display:block;width:100%;"
    "font:inherit;padding:.5rem;border:1px solid var(--line);"
    "border-radius:.25rem;background:Field;color:FieldText}\n"
    "input.code,code{font-family:ui-monospace,monospace}\n"
    "input.code{letter-spacing:.1em}\n"
    "button{font:inherit;font-weight:600;padding:.5rem 1rem;margin:1rem .5rem "
    "0 0;border:1px solid var(--go);border-radius:.25rem;"
    "background:var(--go);color:Canvas}\n"
    "button.no{background:Canvas;color:var(--bad);border-color:var(--bad)}\n"
    "button.small{margin:0;padding:.25rem .5rem}\n"
    ":focus-visible{outline:3px solid var(--go);outline-offset:2px}\n"
    ".skip{position:absolute;left:-100vw}.skip:focus{position:static}\n"
    ".error{border-left:.25rem solid var(--bad);padding:.5rem 1rem;margin:0 0 "
    "1rem;font-weight:600}\n"
    ".hint{margin:0 0 .4rem;font-size:.9rem}\n"
    "dl{margin:0;display:grid;grid-template-columns:minmax(6rem,auto) 1fr;"
    "gap:.25rem 1rem}\n"
    "dt{font-weight:600}dd{margin:0}\n"
    ".big{font:600 1.75rem/1.25 ui-monospace,monospace;letter-spacing:.08em}\n"
    "ul.list{padding:0;list-style:none}\n"
    "ul.list>li{border-top:1px solid var(--line);padding:.75rem 0}\n";

struct view page_style(void)
{
    return view_of(STYLE, sizeof STYLE - 1);
}

void page_html(struct call *c, ...)
{
    va_list list;
    const char *s;

    va_start(list, c);
    while ((s = va_arg(list, const char *)) != NULL)
        text_str(&c->page, s);
    va_end(list);
}

void page_text(struct call *c, const char *s)
{
    for (; *s != '\0'; s++) {
        switch (*s) {
        case '&': text_str(&c->page, "&amp;"); break;
        case '<': text_str(&c->page, "&lt;"); break;
        case '>': text_str(&c->page, "&gt;"); break;
        case '"': text_str(&c->page, "&quot;"); break;
        case '\'': text_str(&c->page, "&#39;"); break;
        default: text_char(&c->page, *s); break;
        }
    }
}

void page_time(struct call *c, int64_t ms)
{
    char buf[32];
    struct text t;

    if (ms == 0) {
        page_html(c, "never", NULL);
        return;
    }
    TEXT_OF(&t, buf);
    text_time(&t, ms);
    page_html(c, "<time datetime=\"", buf, "\">", NULL);
    text_view(&c->page, view_first(view_str(buf), 10));
    text_char(&c->page, ' ');
    text_view(&c->page, view_first(view_from(view_str(buf), 11), 5));
    page_html(c, " UTC</time>", NULL);
}

static void navigation(struct call *c)
{
    page_html(c,
              "<nav aria-label=\"Account\"><ul>"
              "<li><a href=\"/account\">Account</a></li>"
              "<li><a href=\"/device\">Sign in a device</a></li>"
              "<li><a href=\"/signout\">Sign out</a></li></ul></nav>",
              NULL);
}

void page_begin(struct call *c, const char *title, const char *error)
{
    text_init(&c->page, c->conn->body, sizeof c->conn->body);
    page_html(c,
              "<!doctype html>\n<html lang=\"en\">\n<head>\n"
              "<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" "
              "content=\"width=device-width, initial-scale=1\">\n<title>",
              error != NULL ? "Error: " : "", NULL);
    page_text(c, title);
    page_html(c, " - ", NULL);
    page_text(c, c->people->name);
    page_html(c,
              "</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n"
              "</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the "
              "content</a>\n<header><p>",
              NULL);
    page_text(c, c->people->name);
    page_html(c, "</p>", NULL);
    if (c->kind == MAY_WEB)
        navigation(c);
    page_html(c, "</header>\n<main id=\"main\">\n<h1>", NULL);
    page_text(c, title);
    page_html(c, "</h1>\n", NULL);
    if (error != NULL) {
        page_html(c, "<p class=\"error\" role=\"alert\" id=\"error\">", NULL);
        page_text(c, error);
        page_html(c, "</p>\n", NULL);
    }
    c->page_error = error != NULL;
}

void page_end(struct call *c)
{
    page_html(c, "</main>\n</body>\n</html>\n", NULL);
}

void page_form(struct call *c, const char *action)
{
    char token[PEOPLE_SECRET_CAP];

    page_html(c, "<form method=\"post\" action=\"", action, "\">\n", NULL);
    call_form_token(c, token);
    page_hidden(c, "form", token);
}

void page_hidden(struct call *c, const char *name, const char *value)
{
    page_html(c, "<input type=\"hidden\" name=\"", name, "\" value=\"", NULL);
    page_text(c, value);
    page_html(c, "\">\n", NULL);
}

void page_form_end(struct call *c, const char *button)
{
    page_html(c, "<button>", button, "</button>\n</form>\n", NULL);
}

void page_input(struct call *c, const struct page_input *in)
{
    page_html(c, "<label for=\"", in->name, "\">", in->label, "</label>\n",
              NULL);
    if (in->hint != NULL)
        page_html(c, "<p class=\"hint\" id=\"", in->name, "-hint\">", in->hint,
                  "</p>\n", NULL);
    page_html(c, "<input type=\"", in->type, "\" id=\"", in->name, "\" name=\"",
              in->name, "\" autocomplete=\"", in->autocomplete,
              "\" maxlength=\"", NULL);
    text_i64(&c->page, in->max);
    page_html(c, "\"", in->optional ? "" : " required",
              in->focus ? " autofocus" : "",
              in->code ? " class=\"code\" autocapitalize=\"characters\" "
                         "spellcheck=\"false\""
                       : "",
              NULL);
    bool described = c->page_error && in->focus;
    if (in->hint != NULL || described)
        page_html(c, " aria-describedby=\"", described ? "error" : "",
                  described && in->hint != NULL ? " " : "",
                  in->hint != NULL ? in->name : "",
                  in->hint != NULL ? "-hint" : "", "\"", NULL);
    if (in->value != NULL) {
        page_html(c, " value=\"", NULL);
        page_text(c, in->value);
        page_html(c, "\"", NULL);
    }
    page_html(c, ">\n", NULL);
}

void page_fact(struct call *c, const char *name, const char *value)
{
    page_html(c, "<dt>", name, "</dt><dd>", NULL);
    page_text(c, value[0] != '\0' ? value : "not told");
    page_html(c, "</dd>\n", NULL);
}
