import re
from importlib.resources import files

PAGE = files("clients") / "browser"
CODE = [file for file in PAGE.iterdir() if file.name.endswith((".html", ".css", ".js"))]


def test_every_file_that_the_page_names_is_there():
    names = {file.name for file in PAGE.iterdir()}
    for file in CODE:
        text = file.read_text()
        found = re.findall(r'(?:src|href)="([^"#]+)"', text)
        found += re.findall(r'from "\./([^"]+)"', text)
        found += re.findall(r'url\("([^":]+)"\)', text)
        found += re.findall(r'addModule\("([^"]+)"\)', text)
        assert set(found) <= names, file.name


def test_page_asks_no_other_host_for_anything():
    for file in CODE:
        hosts = re.findall(r"https?://[^\s\"')]+", file.read_text())
        assert set(hosts) <= {"http://www.w3.org/2000/svg"}


def test_every_element_that_the_code_looks_up_is_in_the_page():
    ids = set(re.findall(r'id="([^"]+)"', (PAGE / "index.html").read_text()))
    for file in CODE:
        assert set(re.findall(r'\$\("([^"]+)"\)', file.read_text())) <= ids, file.name
