from tests.browser import axe
from tests.browser.house import House


async def test_x(house: House, scripts: bool) -> None:
    async with house.visitor("member", java_script_enabled=scripts) as page:
        await page.goto("/")
        print(await axe.violations(page))
        await page.goto(f"/threads/{house.village.places['thread']}")
        print(await axe.violations(page))
        await page.fill("[name=body_markdown]", "Hello from a browser")
        await page.click("text=Send")
        print(page.url)
